"""What the vectorised CPU kernels share: C++ for vectors and matrix products, and threads.

warp-lang compiles C++ inside its functions with all of the processor's vector instructions. These
kernels work on blocks of pixels; between its steps a block stays in the cache. Importing this
module starts warp-lang; see `bdmm.files.warp_lang`.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import Any

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from bdmm.files.warp_lang import start_warp

start_warp()

Inputs = Sequence[Float[Tensor, "b _ h w"]]
"""One or two, whose channels a kernel joins."""
LANES = 8
"""Numbers in a vector."""

VECTORS = """
#pragma clang fp contract(fast)
typedef float Vector __attribute__((vector_size(32), aligned(4)));
constexpr int LANES = 8;
auto load = [](const float* from) { return *(const Vector*)from; };
auto store = [](float* to, Vector values) { *(Vector*)to = values; };
auto load_some = [](const float* from, int count) {
    if (count >= LANES) return *(const Vector*)from;
    Vector values = {};
    for (int i = 0; i < count; i++) values[i] = from[i];
    return values;
};
auto store_some = [](float* to, Vector values, int count) {
    if (count >= LANES) *(Vector*)to = values;
    else for (int i = 0; i < count; i++) to[i] = values[i];
};
auto total = [](Vector values) {
    return ((values[0] + values[4]) + (values[2] + values[6]))
           + ((values[1] + values[5]) + (values[3] + values[7]));
};
auto leaky = [](Vector values, float slope) {
    Vector scaled = values * slope;
    return values > 0.0f ? values : scaled;
};
"""

MATRIX_PRODUCT = """
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int SUMS = 24;
#else
constexpr int SUMS = 12;
#endif
auto some_columns = [&](auto number, const float* left, const float* right, float* out,
                        int stride, int rows, int depth, int width) {
    constexpr int N = decltype(number)::value;
    constexpr int R = SUMS / N < 8 ? SUMS / N : 8;
    for (int first = 0; first < rows; first += R) {
        const float* row[R];
        Vector sum[R][N] = {};
        for (int r = 0; r < R; r++)
            row[r] = left + (long)(first + r < rows ? first + r : rows - 1) * stride;
        for (int d = 0; d < depth; d++) {
            Vector line[N];
            for (int n = 0; n < N; n++) line[n] = load(right + ((long)d * N + n) * LANES);
            for (int r = 0; r < R; r++)
                for (int n = 0; n < N; n++) sum[r][n] += row[r][d] * line[n];
        }
        for (int r = 0; r < R && first + r < rows; r++)
            for (int n = 0; n < N; n++)
                store(out + (long)(first + r) * width + n * LANES, sum[r][n]);
    }
};
struct One { enum { value = 1 }; };
struct Two { enum { value = 2 }; };
struct Three { enum { value = 3 }; };
struct Four { enum { value = 4 }; };
struct Six { enum { value = 6 }; };
// left (rows x depth, `stride` apart) times right (depth x width), laid out by `in_columns`.
auto product = [&](const float* left, int stride, const float* right, float* out,
                   int rows, int depth, int width) {
    for (int at = 0, step; at < width; at += step * LANES) {
        const int vectors = (width - at) / LANES;
        step = vectors % 6 == 0 ? 6 : vectors % 4 == 0 ? 4 : vectors % 3 == 0 ? 3 : 2 - vectors % 2;
        auto some = [&](auto number) {
            const float* columns = right + (long)at * depth;
            some_columns(number, left, columns, out + at, stride, rows, depth, width);
        };
        switch (step) {
            case 6: some(Six{}); break;
            case 4: some(Four{}); break;
            case 3: some(Three{}); break;
            case 2: some(Two{}); break;
            default: some(One{});
        }
    }
};
"""


_loading = Lock()


def in_columns(matrices: Float[Tensor, "n d w"]) -> Float[Tensor, "n dw"]:
    """Lay matrices out for `MATRIX_PRODUCT`: vectors that are read together, one after the other.

    Args:
        matrices: their width is a multiple of `LANES`.
    """
    groups, at, width = [], 0, matrices.shape[2]
    while at < width:
        vectors = (width - at) // LANES
        step = next((n for n in (6, 4, 3, 2) if vectors % n == 0), 1) * LANES
        groups.append(matrices[:, :, at : at + step].flatten(1))
        at += step
    return torch.cat(groups, dim=1).contiguous()


def vectors(count: int) -> int:
    """Round a number of channels up to whole vectors."""
    return -(-count // LANES) * LANES


def in_blocks(kernel: Any, task: Any, blocks: int, scratch: int) -> None:
    """Run a kernel over blocks, a part of them in each of PyTorch's threads.

    Args:
        kernel: takes the task, the number of its first block and the address of its scratch memory.
        task: the kernel's own structure.
        blocks: how many there are.
        scratch: numbers that a thread needs between the steps of a block.
    """
    threads = min(torch.get_num_threads(), blocks)
    ends = [part * blocks // threads for part in range(threads + 1)]

    def run(first: int, end: int) -> None:
        memory = torch.empty(scratch)
        wp.launch(kernel, dim=end - first, inputs=[task, first, memory.data_ptr()], device="cpu")

    with _loading:  # compiled once, whichever threads ask for it
        kernel.module.load(wp.get_device("cpu"))
    parts = list(pairwise(ends))
    others: list[Future[None]] = [_pool().submit(run, *part) for part in parts[1:]]
    run(*parts[0])
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads())
