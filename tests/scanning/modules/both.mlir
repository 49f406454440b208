module @jit_f {
  func.func public @main(%arg0: tensor<4xf32> {jax.arg_info = "x"}) -> tensor<4xf32> {
    %0 = stablehlo.custom_call @Sharding(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = stablehlo.custom_call @evil_target(%0) {api_version = 2 : i32} : (tensor<4xf32>) -> tensor<4xf32>
    return %1 : tensor<4xf32>
  }
}
