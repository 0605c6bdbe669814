"""The fast ray tracer: Warp kernels for CPU and CUDA."""
