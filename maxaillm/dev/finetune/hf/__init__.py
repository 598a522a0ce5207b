"""What touches torch, transformers and peft. Import these modules late."""

from maxaillm.dev.finetune.processes.compiled_kernels import limit_compiled_kernels

limit_compiled_kernels()  # torch reads it when it is imported
