"""Files and folders: opened, copied, put in place whole. No word of models."""
