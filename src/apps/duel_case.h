// For tests: random programs with all that was computed in a task of theirs, what a claimant says
// of it, true or false at any level, and disputes between two parties as the ledger judges them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "attest/witness.h"
#include "judge/dispute.h"
#include "judge/test_random_program.h"
#include "judge/tree.h"
#include "law/fold.h"
#include "law/interpret.h"
#include "law/roots.h"
#include "model/transaction.h"

namespace lockstep::duels {

using judge::test::RandomProgram;
using model::Answer;
using model::Place;
using model::StepTrace;
using model::Tree;

/// The same draws everywhere.
struct Draw : TestRandom {
  using TestRandom::TestRandom;
  Hash hash() {
    Hash hash;
    for (uint8_t& byte : hash.bytes) {
      byte = static_cast<uint8_t>(next());
    }
    return hash;
  }
  template <class T>
  const T& one_of(const std::vector<T>& list) {
    return list[below(list.size())];
  }
};

inline Place top_at(Tree tree, uint32_t step = 0, uint32_t record = 0, uint64_t chunk = 0) {
  return {tree, step, record, chunk, 0, 0};
}

/// One task of a random program, honestly computed.
struct Game {
  uint64_t seed = 0;
  RandomProgram about;
  judge::Programs registry;
  const judge::Registered* registered = nullptr;
  uint32_t steps = 1, claim_every = 1;
  Hash input_root;
  std::vector<StepTrace> traces;
  std::vector<Hash> roots;  // after each step

  [[nodiscard]] const law::Program& program() const { return registered->program; }
  [[nodiscard]] uint32_t records() const { return static_cast<uint32_t>(program().records.size()); }
  [[nodiscard]] uint32_t leaves() const { return static_cast<uint32_t>(program().leaves.size()); }
  [[nodiscard]] bool is_short() const { return steps < model::short_task_steps; }
};

inline std::vector<Hash> leaf_hashes(const law::Program& program,
                                     const std::vector<Bytes>& leaves) {
  std::vector<Hash> hashes;
  hashes.reserve(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    const law::Leaf& leaf = program.leaves[i];
    hashes.push_back(
        law::leaf_hash(leaf.name, law::tensor_root(leaf.shape, law::data_hash(leaves[i]))));
  }
  return hashes;
}
inline Hash state_root(const law::Program& program, const std::vector<Bytes>& leaves) {
  return law::list_root(law::state_mode(), leaf_hashes(program, leaves));
}

inline std::vector<law::Tensor> tensors_of(const law::Program& program,
                                           const std::vector<Bytes>& leaves) {
  std::vector<law::Tensor> tensors;
  tensors.reserve(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    tensors.push_back({program.leaves[i].shape, leaves[i]});
  }
  return tensors;
}

/// A step of `program` from these leaves, by the law.
inline StepTrace run_step(const law::Program& program,
                          const std::vector<law::Tensor>& constants,
                          uint32_t step,
                          const std::vector<Bytes>& leaves) {
  StepTrace trace{step, leaves, {}, {}, {}};
  std::vector<law::Tensor> outputs;
  auto after = law::run_step(program, tensors_of(program, leaves), constants, &outputs);
  for (law::Tensor& leaf : after) {
    trace.after.push_back(std::move(leaf.data));
  }
  for (law::Tensor& output : outputs) {
    trace.outputs.push_back(std::move(output.data));
  }
  for (const law::Tensor& constant : constants) {
    trace.constants.push_back(constant.data);
  }
  return trace;
}

/// Every twelfth program has an output of more than 256 chunks, every fourteenth a long fold list,
/// every thirtieth hundreds of records and leaves.
inline judge::test::RandomSize size_of_game(uint64_t seed) {
  judge::test::RandomSize size;
  size.is_wide = seed % 12 == 5;
  size.is_deep = seed % 14 == 3;
  size.is_long = seed % 30 == 17;  // number 17 is all three
  size.cost_max = size.is_wide || size.is_deep ? 300'000 : 120'000;
  return size;
}

/// Computes the task. `is_same`: its steps have the same outputs, so one is computed for all.
inline void play(Game& game, bool is_same = false) {
  std::vector<Hash> constants;
  for (const law::Tensor& constant : game.about.constants) {
    constants.push_back(law::data_hash(constant.data));
  }
  game.registered = game.registry.add(law::encode(game.about.program), constants).value();
  std::vector<Bytes> leaves;
  for (const law::Tensor& leaf : game.about.leaves) {
    leaves.push_back(leaf.data);
  }
  game.input_root = state_root(game.program(), leaves);
  for (uint32_t step = 0; step < game.steps; ++step) {
    if (step > 1 && is_same) {
      game.traces.push_back(game.traces.back());
      game.traces.back().step = step;
      game.roots.push_back(game.roots.back());
      continue;
    }
    game.traces.push_back(run_step(game.program(), game.about.constants, step, leaves));
    leaves = game.traces.back().after;
    game.roots.push_back(state_root(game.program(), leaves));
  }
}

inline std::unique_ptr<Game> make_game(uint64_t seed) {
  auto game = std::make_unique<Game>();
  Draw draw{test_mixed(seed)};
  const judge::test::RandomSize size = size_of_game(seed);
  game->seed = seed;
  game->about = judge::test::RandomProgramMaker(draw.next(), size).make();
  const bool is_large = size.is_wide || size.is_deep || size.is_long;
  const bool is_costly = law::cost(game->about.program) > 1'000'000;
  game->steps = static_cast<uint32_t>(draw.in(1, is_costly ? 3 : is_large ? 10 : 20));
  game->claim_every = static_cast<uint32_t>(std::min<int64_t>(draw.in(1, 7), game->steps));
  play(*game);
  return game;
}

/// The node over chunks [first, last) of a message of `chunks` chunks from its chunks' values.
inline Hash joined_chunks(const crypto::Mode& mode,
                          const std::vector<Hash>& cvs,
                          std::pair<uint64_t, uint64_t> range) {
  std::vector<crypto::Node> stack;
  const auto merge = [&] {
    const crypto::Node right = stack.back();
    stack.pop_back();
    stack.back() = crypto::join(mode, stack.back(), right, cvs.size());
  };
  for (uint64_t i = range.first; i < range.second; ++i) {
    stack.push_back({i, i + 1, cvs[i]});
    for (uint64_t done = i + 1 - range.first; done % 2 == 0 && i + 1 < range.second; done /= 2) {
      merge();
    }
  }
  while (stack.size() > 1) {
    merge();
  }
  return stack[0].cv;
}

/// What a claimant says of a task. Steps that it has not its own data of are honest; lists and
/// tensors that are in `lists` and `chunks` are these, whatever the data says.
class Story {
 public:
  explicit Story(const Game& game) : game_(&game), roots(game.roots) {}

  const Game* game_;
  std::vector<Hash> roots;                    // after each step
  std::map<uint32_t, StepTrace> own;          // by step
  std::map<Place, std::vector<Hash>> lists;   // by top, unsalted
  std::map<Place, std::vector<Hash>> chunks;  // chaining values of a tensor's chunks, by top
  std::optional<Hash> output;                 // of the receipt; else the last state root
  Hash salt = Draw{99}.hash();

  [[nodiscard]] const StepTrace& trace(uint32_t step) const {
    const auto found = own.find(step);
    return found == own.end() ? game_->traces[step] : found->second;
  }
  [[nodiscard]] Hash output_root(uint32_t step, uint32_t record) const {
    const law::Shape& out = game_->program().records[record].out;
    const auto found = chunks.find(top_at(Tree::tensor, step, record));
    const Hash data =
        found == chunks.end()
            ? law::data_hash(trace(step).outputs[record])
            : joined_chunks(law::data_mode(), found->second, {0, found->second.size()});
    return law::tensor_root(out, data);
  }
  [[nodiscard]] std::vector<Hash> output_roots(uint32_t step) const {
    std::vector<Hash> made;
    made.reserve(game_->records());
    for (uint32_t record = 0; record < game_->records(); ++record) {
      made.push_back(output_root(step, record));
    }
    return made;
  }
  /// Of its receipt.
  [[nodiscard]] std::vector<Hash> list() const { return entries(top_at(Tree::task)); }
  [[nodiscard]] judge::Case claim(bool binds = true) const {
    const std::vector<Hash> all = list();
    const uint32_t count = model::state_roots_of(game_->steps, game_->claim_every);
    return {game_->registered,
            game_->steps,
            game_->claim_every,
            game_->input_root,
            output.value_or(all[count - 1]),
            model::task_list(salt, all),
            binds};
  }
  /// The claim without its roots: enough for the shapes of its trees.
  [[nodiscard]] judge::Case shape() const {
    return {game_->registered, game_->steps, game_->claim_every, {}, {}, {}, true};
  }
  [[nodiscard]] attest::Witness witness() const {
    return {game_->program(), game_->steps, game_->claim_every, list()};
  }

  /// The unsalted entries of a list.
  [[nodiscard]] std::vector<Hash> entries(const Place& top) const {
    if (const auto found = lists.find(top); found != lists.end()) {
      return found->second;
    }
    switch (top.tree) {
      case Tree::task:
        return task_entries();
      case Tree::window: {
        const auto [first, last] = judge::steps_of_window(shape(), top.step);
        return {roots.begin() + first, roots.begin() + last};
      }
      case Tree::step:
        return output_roots(top.step);
      case Tree::state:
        return leaf_hashes(game_->program(), trace(top.step).after);
      default:
        return fold_hashes(top);
    }
  }
  /// Its answer to any place that there is, in the form that it must have.
  [[nodiscard]] Answer answer(const Place& place) const;
  /// Goes on honestly from the leaves after `step`.
  void go_on(uint32_t step) {
    std::vector<Bytes> leaves = trace(step).after;
    for (uint32_t next = step + 1; next < game_->steps; ++next) {
      own[next] = run_step(game_->program(), game_->about.constants, next, leaves);
      leaves = own[next].after;
      roots[next] = state_root(game_->program(), leaves);
    }
  }

 private:
  [[nodiscard]] std::vector<Hash> task_entries() const {
    std::vector<Hash> made;
    for (uint32_t step = 0; step < game_->steps; ++step) {
      if ((step + 1) % game_->claim_every == 0 || step + 1 == game_->steps) {
        made.push_back(roots[step]);
      }
    }
    if (game_->is_short()) {
      const std::vector<Hash> outputs = output_roots(game_->steps - 1);
      made.insert(made.end(), outputs.begin(), outputs.end());
    }
    return made;
  }
  [[nodiscard]] std::vector<Hash> fold_hashes(const Place& top) const;
};

/// What a record reads in a trace.
inline std::vector<ByteView> inputs_of(const law::Program& program,
                                       const StepTrace& trace,
                                       uint32_t record) {
  std::vector<ByteView> views;
  for (const law::Source& source : program.records[record].inputs) {
    views.emplace_back(source.from == law::From::state   ? trace.before[source.index]
                       : source.from == law::From::value ? trace.outputs[source.index]
                                                         : trace.constants[source.index]);
  }
  return views;
}

/// The states s_0 … s_B of a fold, where bit `bit` of s_`at` is false from there on (none: at = B +
/// 1).
struct FoldLie {
  int64_t at = -1;
  uint64_t bit = 0;
};
inline void tell_fold_lie(law::FoldState& state, law::DType accumulator, uint64_t bit) {
  if (!state.acc.empty()) {
    const auto width = static_cast<uint64_t>(law::size_of(accumulator)) * 8;
    uint64_t& word = state.acc[bit / width % state.acc.size()];
    word = law::canonical(accumulator, word ^ uint64_t{1} << bit % width);
  } else if (!state.done.empty()) {
    state.done[bit / 8 % state.done.size()] ^= static_cast<uint8_t>(1U << bit % 8);
  }
}
inline std::vector<law::FoldState> fold_states(const Game& game,
                                               const StepTrace& trace,
                                               const Place& place,
                                               const FoldLie& lie = {}) {
  const law::Op op = law::op_of(game.program(), place.record);
  const law::Fold fold(op, static_cast<int64_t>(place.chunk));
  law::TensorReader reader(op, inputs_of(game.program(), trace, place.record));
  std::vector<law::FoldState> states(1);
  for (int64_t b = 0; b < fold.steps(); ++b) {
    law::FoldState next = states.back();
    fold.run(b, next, reader);
    if (b + 1 == lie.at) {
      tell_fold_lie(next, fold.accumulator(), lie.bit);
    }
    states.push_back(std::move(next));
  }
  return states;
}
inline std::vector<Hash> hashes_of(const Game& game,
                                   uint32_t record,
                                   const std::vector<law::FoldState>& states) {
  const law::Op op = law::op_of(game.program(), record);
  const law::DType type = law::primitive(op)->accumulator();
  std::vector<Hash> hashes;
  for (size_t b = 1; b + 1 < states.size(); ++b) {
    hashes.push_back(model::fold_state_hash(states[b].bytes(type)));
  }
  return hashes;
}
inline std::vector<Hash> Story::fold_hashes(const Place& top) const {
  return hashes_of(*game_, top.record, fold_states(*game_, trace(top.step), top));
}

inline Answer Story::answer(const Place& place) const {
  const judge::TreeShape tree = *judge::tree_of(shape(), place);
  const Place top = judge::top_of(place);
  const uint64_t first = place.first;
  const uint64_t last = place.last == 0 ? tree.chunks : place.last;
  Answer made{place, place.tree == Tree::task ? salt : Hash{}, {}};
  if (tree.answered_by_entries(first, last)) {
    std::vector<Hash> all = entries(top);
    all.resize(tree.entries);
    const auto begin = all.begin() + static_cast<ptrdiff_t>(first * judge::entries_per_chunk);
    made.hashes = {begin, begin + static_cast<ptrdiff_t>(tree.entries_in(first, last))};
    return made;
  }
  const auto below = crypto::descendants(first, last, judge::answered_levels);
  const auto lie = chunks.find(top);
  Bytes message;
  if (tree.is_list) {
    uint32_t index = 0;
    for (const Hash& entry : entries(top)) {
      const Hash hashed =
          place.tree == Tree::task ? model::task_entry(salt, index++, entry) : entry;
      message.insert(message.end(), hashed.bytes.begin(), hashed.bytes.end());
    }
  } else if (lie == chunks.end()) {
    message = trace(place.step).outputs[place.record];
  }
  for (const auto& [begin, end] : below) {
    made.hashes.push_back(lie != chunks.end()
                              ? joined_chunks(*tree.mode, lie->second, {begin, end})
                              : crypto::subtree(*tree.mode, message, begin, end).cv);
  }
  return made;
}

/// The claimant's side of a dispute: its answer to an admissible place, or silence.
using Speaker = std::function<std::optional<Answer>(const Place&)>;

enum class Verdict { conceded, bad_answer, refuted, holds, inadmissible, silent, broken };
inline const char* text_of(Verdict verdict) {
  static const char* const names[] = {
      "conceded", "bad answer", "refuted", "holds", "inadmissible", "silent", "broken"};
  return names[static_cast<size_t>(verdict)];
}
inline bool is_lost(Verdict verdict) {
  return verdict == Verdict::bad_answer || verdict == Verdict::refuted ||
         verdict == Verdict::silent;
}

struct End {
  Verdict verdict = Verdict::broken;
  std::string error;  // of a broken one
  size_t answers = 0;
  uint64_t answer_bytes = 0, proof_bytes = 0;
  std::optional<model::StepProof> step;
  std::optional<model::LeafProof> leaf;
  model::Kept kept;
};

/// What the one who asks knows: a witness that is fed from a story.
class Asker {
 public:
  explicit Asker(const Story& story) : story_(&story), witness_(story.witness()) {}
  /// Its next move that is not a need.
  attest::Witness::Move next(const model::Kept& kept) {
    for (int tries = 0; tries < 6; ++tries) {
      attest::Witness::Move move = witness_.next(kept);
      if (const auto* need = std::get_if<attest::NeedTrace>(&move)) {
        witness_.set_trace(story_->trace(need->step));
      } else if (std::holds_alternative<attest::NeedSteps>(move)) {
        witness_.set_steps(story_->roots);
      } else {
        return move;
      }
    }
    return attest::NeedSteps{};
  }

 private:
  const Story* story_;
  attest::Witness witness_;
};

/// The honest claimant: the witness that a provider runs.
class HonestSpeaker {
 public:
  explicit HonestSpeaker(const Story& truth) : truth_(&truth), witness_(truth.witness()) {}
  std::optional<Answer> operator()(const Place& place) {
    for (int tries = 0; tries < 3; ++tries) {
      auto reply = witness_.answer(place, truth_->salt);
      if (!reply.ok()) {
        return std::nullopt;
      }
      if (const auto* need = std::get_if<attest::NeedTrace>(&*reply)) {
        witness_.set_trace(truth_->trace(need->step));
      } else if (std::holds_alternative<attest::NeedSteps>(*reply)) {
        witness_.set_steps(truth_->roots);
      } else {
        return std::get<Answer>(*reply);
      }
    }
    return std::nullopt;
  }
  attest::Witness& witness() { return witness_; }

 private:
  const Story* truth_;
  attest::Witness witness_;
};

/// Takes an answer as the ledger does. False: it was not taken, and `end` says why.
inline bool take(const judge::Case& claim, const std::optional<Answer>& answer, End& end) {
  if (!answer) {
    end.verdict = Verdict::silent;
    return false;
  }
  const auto taken = judge::take(claim, end.kept, *answer);
  if (!taken.ok()) {
    const bool is_bad = taken.error().code == Code::bad_answer;
    end.verdict = is_bad ? Verdict::bad_answer : Verdict::broken;
    end.error = taken.error().message();
    return false;
  }
  ++end.answers;
  end.answer_bytes += codec::encode(model::PostAnswer{{}, 0, *answer}).size();
  return true;
}

/// One dispute to its end, as the ledger judges it. `seen` is called after every answer.
inline End duel(const judge::Case& claim,
                const Speaker& speaker,
                Asker& asker,
                const std::function<void(const model::Kept&)>& seen = {}) {
  End end;
  for (int moves = 0; moves < 40; ++moves) {
    const attest::Witness::Move move = asker.next(end.kept);
    if (const auto* ask = std::get_if<attest::Witness::Ask>(&move)) {
      const auto admitted = judge::admissible(claim, end.kept, ask->place);
      if (!admitted.ok()) {
        end.error = "asks what may not be asked: " + admitted.error().message();
        return end;
      }
      std::optional<Answer> answer = speaker(ask->place);
      if (answer && answer->place != ask->place) {
        answer->place = ask->place;  // an answer to another place is none to this one
      }
      if (!take(claim, answer, end)) {
        return end;
      }
      if (seen) {
        seen(end.kept);
      }
    } else if (const auto* prove = std::get_if<attest::Witness::Prove>(&move)) {
      end.proof_bytes = codec::encode(model::PostProof{{}, 0, prove->proof}).size();
      model::Outcome outcome = model::Outcome::inadmissible;
      if (const auto* step = std::get_if<model::StepProof>(&prove->proof)) {
        outcome = judge::decide(claim, end.kept, *step);
        end.step = *step;
      } else {
        end.leaf = std::get<model::LeafProof>(prove->proof);
        outcome = judge::decide(claim, end.kept, *end.leaf);
      }
      end.verdict = outcome == model::Outcome::refuted ? Verdict::refuted
                    : outcome == model::Outcome::holds ? Verdict::holds
                                                       : Verdict::inadmissible;
      return end;
    } else if (std::holds_alternative<attest::Witness::Concede>(move)) {
      end.verdict = Verdict::conceded;
      return end;
    } else {
      end.error = "the asker needs what it was given";
      return end;
    }
  }
  end.error = "the dispute does not end";
  return end;
}

}  // namespace lockstep::duels
