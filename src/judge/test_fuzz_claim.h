// For fuzzers only: one small honest dispute with everything opened, and an honest proof of every
// kind of record in it.
#pragma once

#include <set>

#include "judge/test_claim.h"

namespace lockstep::judge::test {

class FuzzClaim : Registry {
 public:
  FuzzClaim() : party_(small(), {9, 4}), dispute_(party_.dispute()) {
    open(at(Tree::task));
    open(at(Tree::window, 0));
    open(at(Tree::window, 1));
    for (const uint32_t step : {0U, 5U, 8U}) {
      open(at(Tree::step, step));
      open(at(Tree::state, step));
      for (uint32_t record = 0; record < party_.program().records.size(); ++record) {
        open_record(step, record);
      }
      for (uint32_t leaf = 0; leaf < party_.program().leaves.size(); ++leaf) {
        leaves_.push_back({step, leaf, party_.leaf_path(step, leaf)});
      }
    }
    for (const model::StepProof& proof : proofs_) {
      CHECK(decide(dispute_, kept_, proof) == Outcome::holds);
    }
  }
  [[nodiscard]] const Case& dispute() const { return dispute_; }
  /// Everything that can be opened of three steps.
  [[nodiscard]] const Kept& kept() const { return kept_; }
  /// The places asked for, in the order in which they may be.
  [[nodiscard]] const std::vector<Place>& places() const { return places_; }
  /// What the claimant says there.
  [[nodiscard]] Answer answer(const Place& place) const {
    const auto found = answers_.find(place);
    return found == answers_.end() ? party_.answer(place) : found->second;
  }
  [[nodiscard]] const std::vector<model::StepProof>& proofs() const { return proofs_; }
  [[nodiscard]] const std::vector<model::LeafProof>& leaves() const { return leaves_; }

 private:
  void open(const Place& place) {
    if (admissible(dispute_, kept_, place).ok()) {
      const Answer honest = party_.answer(place);
      CHECK(take(dispute_, kept_, honest).ok());
      answers_.emplace(place, honest);
      places_.push_back(place);
    }
  }
  void open_record(uint32_t step, uint32_t record) {
    open(at(Tree::tensor, step, record));
    const auto chunks = static_cast<uint64_t>(law::chunks_of(party_.program().records[record].out));
    for (const uint64_t chunk : std::set<uint64_t>{0, chunks - 1}) {
      const Place fold = at(Tree::fold, step, record, chunk);
      open(fold);
      const size_t steps = party_.fold_states(fold).size() - 1;
      for (size_t b = 0; b < steps; b += 4) {
        proofs_.push_back(party_.prove(fold, b));
      }
    }
  }
  Party party_;
  Case dispute_;
  Kept kept_;
  std::vector<Place> places_;
  std::map<Place, Answer> answers_;
  std::vector<model::StepProof> proofs_;
  std::vector<model::LeafProof> leaves_;
};

}  // namespace lockstep::judge::test
