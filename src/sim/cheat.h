// Liars: they alter what their machine computed and go on as honest nodes do. The node code that
// speaks for them does not know.
#pragma once

#include <map>

#include "law/program.h"
#include "node/node.h"
#include "store/blobs.h"

namespace lockstep::sim {

enum class CheatKind : uint8_t {
  skip,     // returns the input weights plus small noise for every training task
  bitflip,  // flips one bit of one output weight of one task
};
[[nodiscard]] std::optional<CheatKind> cheat_named(std::string_view name);
[[nodiscard]] const char* name_of(CheatKind kind);

/// Alters honest results, consistently: the same task gets the same lie in its outputs, its state
/// roots and the trace of its last step, whose update operators then output the false weights.
class Cheat {
 public:
  /// `parameters` are the names of the leaves it lies about; none: of whatever looks like weights.
  Cheat(CheatKind kind, std::vector<std::string> parameters)
      : kind_(kind), parameters_(std::move(parameters)) {}
  /// Puts false outputs into `blobs`. Errors: io_failed, those of decoding the program.
  Result<void> alter(const node::RunTask& work, node::WorkDone& done, store::Blobs& blobs);

 private:
  [[nodiscard]] bool lies_about(const model::Task& task);
  [[nodiscard]] bool lies_in(const law::Leaf& leaf) const;
  Result<Bytes> false_leaf(const model::Task& task,
                           size_t leaf,
                           ByteView honest,
                           store::Blobs& blobs) const;
  CheatKind kind_;
  std::vector<std::string> parameters_;
  std::optional<model::TaskTag> only_;  // bitflip: the task it lies about
  std::map<Hash, law::Program> programs_;
  std::map<model::TaskTag, Hash> last_state_;  // the false output root of each task lied about
};

}  // namespace lockstep::sim
