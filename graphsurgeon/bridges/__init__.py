"""The optional edge: TensorFlow and LiteRT run models here, each in a process of its own."""
