"""What a run of a model needs: shapes, memory, multiplications."""
