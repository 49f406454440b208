"""Shape functions, one module per family of ops. Importing a module enters its functions into the registry."""
