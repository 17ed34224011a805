"""What a job uses: CPU and memory of its whole process tree, the GPUs, the network (hub-contract §3.2)."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any

import psutil


class Sampler:
    """Samples one job's tree. Rates are over the time since the sample before.

    CPU percent is of this whole machine (0–100); memory is the sum of resident sizes, so shared pages count once a
    process; the network is the machine's (without loopback), for the system does not count it by process.
    """

    def __init__(self, pid: int, *, gpus: bool, replica: str) -> None:
        self.pid = pid
        self._gpus = gpus
        self._replica = replica
        self._at = 0.0
        self._cpu: dict[tuple[int, float], float] = {}
        self._net = (0, 0)

    def sample(self) -> dict[str, Any]:
        now = time.monotonic()
        elapsed = max(now - self._at, 1e-3) if self._at else 0.0
        cpu, memory = self._tree()
        # Only processes seen before have a difference; one that has just begun counts with all it used.
        used = sum(seconds - self._cpu.get(key, 0.0) for key, seconds in cpu.items()) if elapsed else 0.0
        net = _network()
        rx, tx = ((net[0] - self._net[0]) / elapsed, (net[1] - self._net[1]) / elapsed) if elapsed else (0.0, 0.0)
        self._at, self._cpu, self._net = now, cpu, net
        cores = psutil.cpu_count() or 1
        share = max(used, 0.0) / elapsed if elapsed else 0.0
        return {
            "cpu_usage_pct": min(100, round(100 * share / cores)),
            "cpu_millicores": cores * 1000,
            "memory_used_bytes": memory,
            "memory_total_bytes": psutil.virtual_memory().total,
            "rx_bps": max(0, round(rx)),
            "tx_bps": max(0, round(tx)),
            "gpus": gpu_samples() if self._gpus else {},
            "replica": self._replica,
        }

    def _tree(self) -> tuple[dict[tuple[int, float], float], int]:
        """({(pid, start): cpu seconds}, resident bytes) of the job's processes."""
        cpu: dict[tuple[int, float], float] = {}
        memory = 0
        try:
            root = psutil.Process(self.pid)
            processes = [root, *root.children(recursive=True)]
        except psutil.Error:
            return cpu, memory
        for process in processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    cpu[process.pid, process.create_time()] = times.user + times.system
                    memory += process.memory_info().rss
            except psutil.Error:  # it ended while we looked
                continue
        return cpu, memory


def _network() -> tuple[int, int]:
    counters = psutil.net_io_counters(pernic=True)
    outer = [count for name, count in counters.items() if not name.startswith("lo")]
    return sum(count.bytes_recv for count in outer), sum(count.bytes_sent for count in outer)


_nvml_lock = threading.Lock()


@cache
def _gpu_handles() -> dict[str, Any]:
    """NVML's handles by the first 8 digits of each card's UUID; {} without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = {}
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid = str(pynvml.nvmlDeviceGetUUID(handle)).removeprefix("GPU-").replace("-", "")
            handles[uuid[:8]] = handle
        return handles
    except Exception:  # no library, no driver, no permission: then there is nothing to report
        return {}


def gpu_samples() -> dict[str, dict[str, int]]:
    """Utilisation (percent) and memory (bytes) of every NVIDIA card."""
    with _nvml_lock:
        handles = _gpu_handles()
        if not handles:
            return {}
        import pynvml

        found = {}
        for name, handle in handles.items():
            try:
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                found[name] = {
                    "utilization": int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
                    "memory_used_bytes": int(memory.used),
                    "memory_total_bytes": int(memory.total),
                }
            except pynvml.NVMLError:
                continue
        return found
