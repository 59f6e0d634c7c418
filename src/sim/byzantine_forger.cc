// Auditors that challenge the honest with forged evidence: they act out a disagreement down to one
// fold step, and prove it there with other bytes than those that were claimed.
#include "sim/byzantine_node.h"

namespace lockstep::sim {
namespace {

using model::Transaction;

/// Says that the last state of every lane is another one, and goes down to where it comes from.
class Forger : public Byzantine {
 public:
  using Byzantine::Byzantine;

 protected:
  static bool is_last_trace(const node::RunTask& work) {
    return work.kind == node::WorkKind::trace && work.step + 1 == work.task.steps;
  }
  /// Its own account of the step that it disputes.
  virtual void falsify(model::StepTrace& trace) = 0;

 private:
  void computes(const node::RunTask& work, node::WorkDone& done) override {
    if (!done.result.ok() || work.task.tag.kind != model::TaskKind::lane) {
      return;
    }
    if (auto* const execution = std::get_if<model::Execution>(&*done.result)) {
      execution->output_root = random_hash();
      execution->state_roots.back() = execution->output_root;
    } else if (auto* const roots = std::get_if<std::vector<Hash>>(&*done.result)) {
      roots->back() = random_hash();
    } else if (is_last_trace(work)) {
      falsify(std::get<model::StepTrace>(*done.result));
    }
  }
};

/// Changes a bit of an opened chunk and leaves the path above it as it is.
class FalseOpening final : public Forger {
 public:
  using Forger::Forger;

 private:
  /// Any output will do, the first with bytes.
  void falsify(model::StepTrace& trace) override {
    for (Bytes& output : trace.outputs) {
      if (!output.empty()) {
        output.front() ^= 1;
        return;
      }
    }
  }
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    auto* const post = std::get_if<model::PostProof>(&body);
    auto* const proof = post != nullptr ? std::get_if<model::StepProof>(&post->proof) : nullptr;
    if (proof != nullptr) {
      constexpr uint8_t exponent_bit = 0x40;
      for (model::Opening& opening : proof->openings) {
        for (size_t at = 3; at < opening.path.chunk.size(); at += sizeof(float)) {
          opening.path.chunk[at] ^= exponent_bit;
        }
      }
    }
    return body;
  }
};

/// Computes the disputed step from the state before the one that it has to start from, and opens
/// that.
class StaleState final : public Forger {
 public:
  using Forger::Forger;

 private:
  void orders(node::RunTask& work) override {
    if (is_last_trace(work) && work.task.tag.kind == model::TaskKind::lane && work.step > 0) {
      work.step -= 1;
    }
  }
  void falsify(model::StepTrace& trace) override { trace.step += 1; }
};

constexpr RoleRow rows[] = {
    {"false-opening", "auditor", make_role<FalseOpening>},
    {"stale-state", "auditor", make_role<StaleState>},
};

}  // namespace

std::span<const RoleRow> forger_roles() {
  return rows;
}

}  // namespace lockstep::sim
