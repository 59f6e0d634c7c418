// Every error code, numbered once and never reused. Scripts may rely on the numbers.
#pragma once

#include <cstdint>

namespace lockstep {

inline constexpr uint16_t first_fault_code = 9000;

enum class Code : uint16_t {
  // base, codec
  overflow = 100,
  truncated = 101,
  trailing_bytes = 102,
  not_canonical = 103,
  too_large = 104,
  // crypto
  wrong_hash = 150,
  bad_opening = 151,
  // signed payloads
  wrong_network = 160,
  wrong_kind = 161,
  bad_signature = 162,
  // law
  bad_record = 200,
  bad_shape = 201,
  bad_program = 202,
  bad_law_version = 203,
  // graph
  not_differentiable = 250,
  bad_graph = 251,
  // formats
  bad_gzip = 300,
  bad_idx = 301,
  bad_onnx = 302,
  unsupported_onnx = 303,
  bad_safetensors = 304,
  // spec
  bad_yaml = 400,
  unknown_key = 401,
  duplicate_key = 402,
  wrong_type = 403,
  out_of_range = 404,
  missing_key = 405,
  // prepare, plan, store, exec
  file_not_found = 500,
  bad_data = 501,
  blob_missing = 502,
  wrong_task = 503,
  bad_plan = 504,
  // tensor
  unsupported_device = 550,
  // place
  no_offer = 600,
  over_budget = 601,
  // ledger: why a transaction had no effect
  wrong_nonce = 700,
  not_registered = 701,  // node, program, job, lease, claim or dispute unknown
  not_allowed = 702,     // the signer may not do this
  low_funds = 703,
  low_stake = 704,
  wrong_state = 705,  // not now: lifecycle or deadline
  wrong_claim = 706,  // receipt and assignment do not fit
  wrong_reveal = 707,
  wrong_preimage = 708,
  already_there = 709,
  // judge
  bad_place = 720,
  bad_answer = 721,  // does not hash: convicts
  bad_proof = 722,   // inadmissible: no move
  // chain, receipts
  bad_block = 740,
  bad_receipt = 741,
  // node, sim
  bad_option = 760,
  // the real world: keys, processes, connections
  bad_address = 800,
  unreachable = 801,
  not_trusted = 802,  // the other side is not who it should be
  timed_out = 803,
  bad_message = 804,   // what a peer sent is no message
  bad_key_file = 805,  // or the wrong passphrase
  in_use = 806,        // another process has this folder or port
  no_network = 807,    // `lockstep up` did not run here
  bad_folder = 808,    // no data directory, or one of another format
  not_permitted = 809,
  cancelled = 810,
  // faults
  internal = 9000,
  io_failed = 9001,
  disk_full = 9002,
};

}  // namespace lockstep
