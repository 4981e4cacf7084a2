"""The KCL application: one child process a shard.

Record → decode → enrich → append to the open file → seal → create object → checkpoint
"""
