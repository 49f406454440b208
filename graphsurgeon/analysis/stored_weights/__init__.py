"""Weights as files hold them: variables, constants, moving averages, quantized numbers; how many and how large."""
