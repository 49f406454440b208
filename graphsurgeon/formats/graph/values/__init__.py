"""Messages that hold values (AttrValue, TensorProto, StructuredValue) to Python values and back."""
