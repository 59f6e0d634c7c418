// A limit for everything, in one place: name with unit, reason, relations asserted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::limits {

// Tensors (LAW section 5).
inline constexpr size_t rank_max = 8;
inline constexpr int64_t elements_max = (int64_t{1} << 40) - 1;

// Programs (LAW section 5): registered on the ledger, so their size is bounded.
inline constexpr size_t program_bytes_max = size_t{1} << 20;
inline constexpr size_t records_max = 65'536;
inline constexpr size_t leaves_max = 65'536;
inline constexpr size_t constants_max = 65'536;
inline constexpr size_t name_bytes_max = 256;
inline constexpr size_t map_inputs_max = 16;
inline constexpr size_t map_nodes_max = 64;
inline constexpr size_t inputs_max = 64;  // concatenate takes the most

// Folds (LAW section 2): what bounds the referee's work.
inline constexpr int64_t chunk_bytes = 1024;
inline constexpr int64_t group_outputs = 64;
inline constexpr int64_t step_terms = 64;  // at most: law::step_terms() says how many of each
inline constexpr int64_t segment_terms = 512;
inline constexpr int64_t reduce_terms = 4096;
inline constexpr int64_t reduce_lanes = 16;
inline constexpr int64_t scan_block = 64;
inline constexpr int64_t fold_steps_max = 65'536;
inline constexpr int64_t step_proof_bytes_max = int64_t{400} << 10;  // of one fold step, encoded
inline constexpr int64_t step_reads_max = 32'768;  // elements that a referee looks up in one step

// Images: what a pool's gradient reads in one step, and per-axis sums in the cost rule.
inline constexpr int64_t image_side_max = 65'536;
inline constexpr int64_t window_elements_max = 4096;
inline constexpr int64_t grad_window_elements_max = 64;
inline constexpr uint64_t step_cost_max = uint64_t{1} << 62;  // operations; sums stay in 64 bits

// Tasks (LAW section 6).
inline constexpr int task_steps_max = 100;

// The ledger: what one transaction or block may bring.
inline constexpr size_t claim_tasks_max = 1024;
inline constexpr uint64_t redo_ms_max = 3'600'000;  // added to a deadline, however slow the machine
inline constexpr size_t transaction_bytes_max = size_t{3} << 20;  // a claim of 1,024 small tasks
inline constexpr size_t block_transactions_max = 1024;
inline constexpr size_t block_bytes_max = size_t{4} << 20;
inline constexpr size_t signer_queue_max = 256;  // transactions of one signer that wait
inline constexpr size_t preimages_max = 65'536;  // of one chain

// Files from outside.
inline constexpr size_t job_file_bytes_max = size_t{1} << 20;
inline constexpr size_t onnx_bytes_max = size_t{1} << 30;
inline constexpr size_t onnx_nodes_max = 65'536;
inline constexpr size_t idx_bytes_max = size_t{1} << 31;
inline constexpr size_t safetensors_header_bytes_max = size_t{100} << 20;
inline constexpr size_t receipt_bytes_max = size_t{1} << 28;
inline constexpr size_t receipt_values_max = size_t{1} << 21;  // JSON values in it

static_assert(group_outputs * step_terms == 4096, "a fold step has at most 4,096 terms");
static_assert(reduce_terms % reduce_lanes == 0);

}  // namespace lockstep::limits
