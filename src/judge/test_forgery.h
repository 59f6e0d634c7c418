// For tests only: the ways in which a proof or an answer can be other than the honest one, drawn
// from a seed or from a fuzzer's bytes.
#pragma once

#include <algorithm>

#include "law/test_choices.h"
#include "model/dispute.h"

namespace lockstep::judge::test {

using law::test::Choices;

inline Hash any_hash(Choices& choices) {
  Hash hash;
  for (uint8_t& byte : hash.bytes) {
    byte = static_cast<uint8_t>(choices.below(256));
  }
  return hash;
}
inline void flip_bit(Bytes& bytes, Choices& choices) {
  if (!bytes.empty()) {
    const uint64_t at = choices.below(bytes.size());
    bytes[at] ^= static_cast<uint8_t>(1U << choices.below(8));
  }
}
inline void flip_bit(Hash& hash, Choices& choices) {
  hash.bytes[choices.below(32)] ^= static_cast<uint8_t>(1U << choices.below(8));
}
inline uint64_t odd_number(Choices& choices) {
  return choices.of<uint64_t>({0, 1, 2, 3, 5, 8, 31, 32, 255, 256, 257, UINT32_MAX, UINT64_MAX});
}
inline void forge_place(model::Place& place, Choices& choices) {
  const uint64_t number = odd_number(choices);
  switch (choices.below(6)) {
    case 0:
      place.tree = static_cast<model::Tree>(choices.below(6));
      break;
    case 1:
      place.step = static_cast<uint32_t>(number);
      break;
    case 2:
      place.record = static_cast<uint32_t>(number);
      break;
    case 3:
      place.chunk = number;
      break;
    case 4:
      place.first = number;
      break;
    default:
      place.last = number;
      break;
  }
}

/// Forges one proof. `spare` is an honest proof of something else: of another step, record, place,
/// dispute or program.
class Forger {
 public:
  Forger(model::StepProof& proof, const model::StepProof& spare, Choices& choices)
      : proof_(proof), spare_(spare), choices_(choices) {}

  static constexpr size_t ways = 43;
  /// May leave the proof as it is, where it has nothing to forge in that way.
  void apply(size_t way) {
    if (way < 15) {
      of_numbers(way);
    } else if (way < 30 && !proof_.openings.empty()) {
      of_openings(way - 15);
    } else if (way >= 30 && !proof_.inputs.empty()) {
      of_inputs(way - 30);
    }
  }

 private:
  void of_numbers(size_t way);
  void of_state(size_t way);
  void of_openings(size_t way);
  void of_order(size_t way, size_t at);
  void of_inputs(size_t way);
  void of_path(size_t way, model::Path& path);

  model::StepProof& proof_;
  const model::StepProof& spare_;
  Choices& choices_;
};

inline void Forger::of_numbers(size_t way) {
  const bool up = choices_.below(2) == 0;
  switch (way) {
    case 0:
      proof_.fold_step += up ? 1 : UINT64_MAX;
      break;
    case 1:
      proof_.place.chunk += up ? 1 : UINT64_MAX;
      break;
    case 2:
      proof_.place.record += up ? 1 : UINT32_MAX;
      break;
    case 3:
      proof_.place.step += up ? 1 : UINT32_MAX;
      break;
    case 4:
      forge_place(proof_.place, choices_);
      break;
    case 5:
      proof_.fold_step = odd_number(choices_);
      break;
    case 6:  // all of it belongs elsewhere
      proof_.before = spare_.before;
      proof_.openings = spare_.openings;
      proof_.inputs = spare_.inputs;
      break;
    case 7:
      proof_ = spare_;
      break;
    default:
      of_state(way);
      break;
  }
}

inline void Forger::of_state(size_t way) {
  Bytes& before = proof_.before;
  switch (way) {
    case 8:
    case 9:
      flip_bit(before, choices_);
      break;
    case 10:
      before.push_back(0);
      break;
    case 11:
      if (!before.empty()) {
        before.pop_back();
      }
      break;
    case 12:
      before.clear();
      break;
    case 13:
      before = spare_.before;
      break;
    default:  // a NaN that is not the canonical one, in any of the formats
      std::fill(before.begin(), before.end(), uint8_t{0xff});
      break;
  }
}

inline void Forger::of_openings(size_t way) {
  auto& all = proof_.openings;
  const size_t at = choices_.below(all.size());
  if (way < 7) {
    of_path(way, all[at].path);
  } else {
    of_order(way, at);
  }
}

inline void Forger::of_path(size_t way, model::Path& path) {
  switch (way) {
    case 0:
    case 1:
      flip_bit(path.chunk, choices_);
      break;
    case 2:
      if (!path.siblings.empty()) {
        flip_bit(path.siblings[choices_.below(path.siblings.size())], choices_);
      }
      break;
    case 3:
      if (!path.siblings.empty()) {
        path.siblings.pop_back();
      }
      break;
    case 4:
      path.siblings.push_back(any_hash(choices_));
      break;
    case 5:
      path.chunk.resize(choices_.below(1026));
      break;
    default:
      std::reverse(path.siblings.begin(), path.siblings.end());
      break;
  }
}

inline void Forger::of_order(size_t way, size_t at) {
  auto& all = proof_.openings;
  const auto place = all.begin() + static_cast<ptrdiff_t>(at);
  switch (way) {
    case 7:
      all.erase(place);
      break;
    case 8:
      all.insert(place, model::Opening(*place));
      break;
    case 9:
      std::swap(all.front(), all.back());
      break;
    case 10:
      place->input += 1;
      break;
    case 11:
      place->chunk += choices_.below(2) == 0 ? 1 : UINT64_MAX;
      break;
    case 12:  // one that is not read
      all.push_back(all.back());
      all.back().chunk += 1;
      break;
    case 13:
      all = spare_.openings;
      break;
    default:
      std::swap(all.front().path, all.back().path);
      break;
  }
}

inline void Forger::of_inputs(size_t way) {
  auto& all = proof_.inputs;
  all.reserve(all.size() + 1);
  const size_t at = choices_.below(all.size());
  model::InputRoot& one = all[at];
  switch (way) {
    case 0:
      flip_bit(one.data, choices_);
      break;
    case 1:
    case 2:
    case 3:
    case 4:
      of_path(choices_.below(7), one.path ? *one.path : one.path.emplace());
      break;
    case 5:
      one.path.reset();
      break;
    case 6:
      all.erase(all.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 7:
      all.insert(all.begin() + static_cast<ptrdiff_t>(at), model::InputRoot(one));
      break;
    case 8:
      std::swap(all.front().data, all.back().data);
      break;
    case 9:
      one.input += 1;
      break;
    case 10:
      all = spare_.inputs;
      break;
    case 11:  // foreign bytes, which hash
      all = spare_.inputs;
      proof_.openings = spare_.openings;
      break;
    default: {  // one more, as if it showed the state before
      model::InputRoot more =
          choices_.below(2) == 0 || spare_.inputs.empty() ? all.back() : spare_.inputs.back();
      more.input = all.back().input + static_cast<uint32_t>(choices_.in(0, 2));
      all.push_back(std::move(more));
      break;
    }
  }
}

/// Forges a proof about a leaf.
inline void forge(model::LeafProof& proof, Choices& choices) {
  switch (choices.below(6)) {
    case 0:
      proof.step += choices.below(2) == 0 ? 1 : UINT32_MAX;
      break;
    case 1:
      proof.leaf += choices.below(2) == 0 ? 1 : UINT32_MAX;
      break;
    case 2:
      proof.leaf = static_cast<uint32_t>(odd_number(choices));
      break;
    case 3:
      proof.before.reset();
      break;
    default:
      if (!proof.before) {
        proof.before.emplace();
      }
      if (choices.below(3) == 0) {
        proof.before->siblings.push_back(any_hash(choices));
      } else {
        flip_bit(proof.before->chunk, choices);
      }
      break;
  }
}

/// Forges an answer.
inline void forge(model::Answer& answer, const model::Answer& spare, Choices& choices) {
  auto& hashes = answer.hashes;
  switch (choices.below(9)) {
    case 0:
      forge_place(answer.place, choices);
      break;
    case 1:
      flip_bit(answer.salt, choices);
      break;
    case 2:
      hashes.push_back(any_hash(choices));
      break;
    case 3:
      if (!hashes.empty()) {
        hashes.pop_back();
      }
      break;
    case 4:
      hashes = spare.hashes;
      break;
    case 5:
      if (!hashes.empty()) {
        std::swap(hashes.front(), hashes[choices.below(hashes.size())]);
      }
      break;
    case 6:
      answer = spare;
      break;
    default:
      if (!hashes.empty()) {
        flip_bit(hashes[choices.below(hashes.size())], choices);
      }
      break;
  }
}

}  // namespace lockstep::judge::test
