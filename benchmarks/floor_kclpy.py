"""The floor under every child on kclpy: its loop and its records, and a processor that does nothing."""

from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class Nothing(processor.RecordProcessorBase):
    def initialize(self, initialize_input: Any) -> None:
        pass

    def process_records(self, process_records_input: Any) -> None:
        pass

    def lease_lost(self, lease_lost_input: Any) -> None:
        pass

    def shard_ended(self, shard_ended_input: Any) -> None:
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        pass


if __name__ == "__main__":
    kcl.KCLProcess(Nothing()).run()
