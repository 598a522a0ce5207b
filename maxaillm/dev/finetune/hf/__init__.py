"""What touches torch, transformers and peft. Import these modules late.

Before torch is imported the number of compiled kernels is limited. torch has a matrix product in
half precision compiled for its shape, and each gradient of an attention needs several. oneDNN keeps
1,024 of them, and torch the last 1,024 of each kind: after 300 rows of different lengths that was
1.6 GB, and 0.2 GB with the limits below. A run over such rows took 2.0 GB and 28.0 s of processor
time without, 1.6 GB and 28.7 s with them (Llama of 17 M parameters, 8 steps of 8 x 512, bf16).
"""

import os

KERNELS_KEPT = {"LRU_CACHE_CAPACITY": "128", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}
"""torch's and oneDNN's variables; what the environment says already counts more."""

for name, most in KERNELS_KEPT.items():
    os.environ.setdefault(name, most)
