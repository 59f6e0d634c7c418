// Registered programs: checked once, then known by their root.
#pragma once

#include <map>
#include <memory>

#include "law/program.h"
#include "model/market.h"

namespace lockstep::judge {

struct Registered {
  Hash root;
  law::Program program;
  uint64_t operations = 0;      // of one step
  Bytes bytes;                  // canonical
  std::vector<Hash> constants;  // addresses of their bytes
};

/// Copies share the programs.
class Programs {
 public:
  /// Type-checks and keeps. A program that is known is kept once. Errors: those of law::decode and
  /// law::check; bad_program when a constant's address does not give its root.
  Result<const Registered*> add(ByteView bytes, std::span<const Hash> constants);
  /// Null when unknown.
  [[nodiscard]] const Registered* find(const Hash& root) const;

 private:
  std::map<Hash, std::shared_ptr<const Registered>> programs_;
};

/// The state root R_0 that an assignment's leaves make. Errors: wrong_claim when their number is
/// not the program's or a tensor root is not H(the leaf's shape, the data hash).
[[nodiscard]] Result<Hash> input_root(const Registered& program,
                                      std::span<const model::AssignedLeaf> leaves);

/// Entries of a task's list: state roots, and for short tasks the last step's output roots.
[[nodiscard]] uint64_t list_entries(const Registered& program,
                                    uint32_t steps,
                                    uint32_t claim_every);

/// What an assignment must say besides its leaves: steps 1 to limits::task_steps_max, claim_every 1
/// to model::claim_every_max(steps), operations = steps × the program's. Errors: wrong_claim.
[[nodiscard]] Result<void> check_work(const Registered& program,
                                      const model::Assignment& assignment);

}  // namespace lockstep::judge
