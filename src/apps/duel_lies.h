// For tests: the lies that a claimant may tell of a random program's task, at every level of what
// it claims, and the ways in which it may speak when it is asked.
#pragma once

#include <array>

#include "apps/duel_case.h"

namespace lockstep::duels {

/// One bit of a random element. A bool's is its lowest.
inline void flip_element(const law::Shape& shape, Bytes& bytes, Draw& draw) {
  const auto size = static_cast<size_t>(law::size_of(shape.type));
  if (bytes.empty()) {
    return;
  }
  const size_t element = draw.below(bytes.size() / size);
  const size_t bit = shape.type == law::DType::boolean ? 0 : draw.below(8 * size);
  bytes[element * size + bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
}

/// Whether what comes later in a step follows from the false output.
enum class Later : uint8_t { honest, follows, mixed };

inline void write_leaves(const law::Program& program, StepTrace& trace) {
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    const auto writer = program.leaves[i].writer;
    trace.after[i] = writer ? trace.outputs[*writer] : trace.before[i];
  }
}

inline void recompute(
    const law::Program& program, uint32_t record, Later later, StepTrace& trace, Draw& draw) {
  for (uint32_t at = record + 1; at < program.records.size() && later != Later::honest; ++at) {
    if (later == Later::mixed && draw.chance(2)) {
      continue;
    }
    const law::Op op = law::op_of(program, at);
    law::TensorReader reader(op, inputs_of(program, trace, at));
    trace.outputs[at] = law::evaluate(op, reader).data;
  }
  write_leaves(program, trace);
}

/// Of two steps one whose state root is in the receipt: others' lies may vanish.
inline uint32_t any_step(const Game& game, Draw& draw) {
  const auto step = static_cast<uint32_t>(draw.below(game.steps));
  if (draw.chance(2)) {
    return step;
  }
  const uint32_t last = (step / game.claim_every + 1) * game.claim_every - 1;
  return std::min(last, game.steps - 1);
}

/// One in four is a large one, where the program has any.
inline uint32_t any_record(const Game& game, Draw& draw) {
  const bool is_large = !game.about.large.empty() && draw.chance(4);
  return is_large ? draw.one_of(game.about.large)
                  : static_cast<uint32_t>(draw.below(game.records()));
}
inline uint32_t any_leaf(const Game& game, Draw& draw) {
  return static_cast<uint32_t>(draw.below(game.leaves()));
}

/// The step becomes the story's, which goes on from it or leaves the next steps honest.
inline void settle(Story& story, StepTrace trace, Draw& draw) {
  const uint32_t step = trace.step;
  story.roots[step] = state_root(story.game_->program(), trace.after);
  story.own[step] = std::move(trace);
  if (!draw.chance(4)) {
    story.go_on(step);
  }
}

inline void tell_output(Story& story, Later later, Draw& draw) {
  const Game& game = *story.game_;
  const uint32_t record = any_record(game, draw);
  StepTrace trace = game.traces[any_step(game, draw)];
  flip_element(game.program().records[record].out, trace.outputs[record], draw);
  recompute(game.program(), record, later, trace, draw);
  settle(story, std::move(trace), draw);
}

inline void tell_leaf(Story& story, bool is_written, Draw& draw) {
  const Game& game = *story.game_;
  StepTrace trace = game.traces[any_step(game, draw)];
  for (int tries = 0; tries < 30; ++tries) {
    const uint32_t leaf = any_leaf(game, draw);
    if (game.program().leaves[leaf].writer.has_value() == is_written) {
      flip_element(game.program().leaves[leaf].shape, trace.after[leaf], draw);
      break;
    }
  }
  settle(story, std::move(trace), draw);
}

/// A leaf, or the whole state, is that of before the step.
inline void tell_stale(Story& story, bool is_whole, Draw& draw) {
  const Game& game = *story.game_;
  StepTrace trace = game.traces[any_step(game, draw)];
  const uint32_t leaf = any_leaf(game, draw);
  for (uint32_t i = 0; i < game.leaves(); ++i) {
    if (is_whole || i == leaf) {
      trace.after[i] = trace.before[i];
    }
  }
  settle(story, std::move(trace), draw);
}

inline void tell_random_root(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  if (game.is_short() && draw.chance(3)) {
    std::vector<Hash> list = story.list();
    list[draw.below(list.size())] = draw.hash();
    const uint32_t count = model::state_roots_of(game.steps, game.claim_every);
    list[count - 1] = game.roots.back();
    story.lists[top_at(Tree::task)] = list;
    return;
  }
  story.roots[any_step(game, draw)] = draw.hash();
}

/// The state after the step as `story` has its outputs' roots: what nobody computed, but hashes.
inline void commit_state(Story& story, uint32_t step) {
  const Game& game = *story.game_;
  std::vector<Hash> entries = story.entries(top_at(Tree::state, step));
  const bool in_list = game.is_short() && step + 1 == game.steps;
  std::vector<Hash> roots =
      story.entries(top_at(in_list ? Tree::task : Tree::step, in_list ? 0 : step));
  const uint32_t first = in_list ? model::state_roots_of(game.steps, game.claim_every) : 0;
  for (uint32_t i = 0; i < game.leaves(); ++i) {
    const law::Leaf& leaf = game.program().leaves[i];
    if (leaf.writer) {
      entries[i] = law::leaf_hash(leaf.name, roots[first + *leaf.writer]);
    }
  }
  const Hash root = law::list_root(law::state_mode(), entries);
  story.roots[step] = root;
  story.lists[top_at(Tree::state, step)] = std::move(entries);
  if (const auto task = story.lists.find(top_at(Tree::task)); task != story.lists.end()) {
    if (in_list) {
      task->second[first - 1] = root;
    }
  }
}

inline void tell_random_output(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  const uint32_t step = any_step(game, draw);
  const uint32_t record = any_record(game, draw);
  const bool in_list = game.is_short() && step + 1 == game.steps;
  const Place top = top_at(in_list ? Tree::task : Tree::step, in_list ? 0 : step);
  std::vector<Hash> entries = story.entries(top);
  const uint32_t first = in_list ? model::state_roots_of(game.steps, game.claim_every) : 0;
  entries[first + record] = draw.hash();
  story.lists[top] = entries;
  commit_state(story, step);
}

inline void tell_random_leaf_hash(Story& story, Draw& draw) {
  const uint32_t step = any_step(*story.game_, draw);
  const Place top = top_at(Tree::state, step);
  std::vector<Hash> entries = story.entries(top);
  entries[draw.below(entries.size())] = draw.hash();
  story.roots[step] = law::list_root(law::state_mode(), entries);
  story.lists[top] = entries;
}

/// A tensor whose tree hashes, but some chunks of which nobody has.
inline void tell_random_chunks(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  const uint32_t step = any_step(game, draw);
  const uint32_t record = any_record(game, draw);
  const Bytes& bytes = game.traces[step].outputs[record];
  const uint64_t count = crypto::chunk_count(bytes.size());
  std::vector<Hash> cvs;
  for (uint64_t i = 0; i < count; ++i) {
    cvs.push_back(crypto::subtree(law::data_mode(), bytes, i, i + 1).cv);
  }
  for (uint64_t i = 1 + draw.below(3); i > 0; --i) {
    cvs[draw.below(count)] = draw.hash();
  }
  if (draw.chance(4)) {
    std::reverse(cvs.begin(), cvs.end());
  }
  story.chunks[top_at(Tree::tensor, step, record)] = std::move(cvs);
  commit_state(story, step);
}

/// A chain of fold states that is true but for one bit of one state, and all that follows from it.
inline void tell_fold_state(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  StepTrace trace = game.traces[any_step(game, draw)];
  uint32_t record = any_record(game, draw);
  for (int tries = 0; tries < 8 && law::steps_max(law::op_of(game.program(), record)) < 3;
       ++tries) {
    record = any_record(game, draw);
  }
  Bytes& bytes = trace.outputs[record];
  const Place fold =
      top_at(Tree::fold, trace.step, record, draw.below(crypto::chunk_count(bytes.size())));
  const law::Op op = law::op_of(game.program(), record);
  const int64_t steps = law::Fold(op, static_cast<int64_t>(fold.chunk)).steps();
  if (steps == 0) {
    return;
  }
  const FoldLie lie{draw.in(1, steps), draw.next()};
  const auto states = fold_states(game, trace, fold, lie);
  std::copy(states.back().done.begin(),
            states.back().done.end(),
            bytes.begin() + static_cast<ptrdiff_t>(fold.chunk * 1024));
  story.lists[fold] = hashes_of(game, record, states);
  recompute(game.program(), record, draw.of({Later::honest, Later::follows}), trace, draw);
  settle(story, std::move(trace), draw);
}

/// A false output, whose fold list is another's, or random from some state on.
inline void tell_fold_list(Story& story, Draw& draw) {
  tell_output(story, Later::follows, draw);
  for (const auto& [step, trace] : story.own) {
    for (uint32_t record = 0; record < story.game_->records(); ++record) {
      const Bytes& bytes = trace.outputs[record];
      const uint64_t chunks = crypto::chunk_count(bytes.size());
      const Place fold = top_at(Tree::fold, step, record, draw.below(chunks));
      if (chunks > 20 || bytes.empty() || !judge::tree_of(story.shape(), fold)) {
        continue;
      }
      std::vector<Hash> hashes = story.entries(fold);
      const size_t from = draw.below(hashes.size());
      for (size_t i = from; i < hashes.size(); ++i) {
        hashes[i] = draw.chance(2) ? draw.hash() : hashes[from];
      }
      for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
        story.lists[top_at(Tree::fold, step, record, chunk)] = hashes;
      }
    }
    return;
  }
}

/// A window that tells another story between two ends, over a false output.
inline void tell_window(Story& story, Draw& draw) {
  tell_output(story, Later::follows, draw);
  const Game& game = *story.game_;
  const uint32_t window = any_step(game, draw) / game.claim_every;
  const Place top = top_at(Tree::window, window);
  std::vector<Hash> roots = story.entries(top);
  for (size_t i = 0; i + 1 < roots.size(); ++i) {
    if (draw.chance(2)) {
      roots[i] = draw.chance(2) ? draw.hash() : draw.one_of(game.roots);
    }
  }
  story.lists[top] = std::move(roots);
}

/// Another record in the place of one, so that the shapes stay. False: it is no program.
inline bool rewire(law::Program& program, uint32_t at, Draw& draw) {
  law::Record& record = program.records[at];
  if (auto* map = std::get_if<law::MapAttr>(&record.attributes); map != nullptr && draw.chance(2)) {
    auto& node = map->nodes[draw.below(map->nodes.size())];
    node.op = node.op == law::MapOp::subtract ? law::MapOp::add : law::MapOp::subtract;
  } else if (auto* reduce = std::get_if<law::ReduceAttr>(&record.attributes)) {
    reduce->op = static_cast<law::ReduceOp>((static_cast<int>(reduce->op) + 1) % 4);
  } else if (auto* rank = std::get_if<law::RankAttr>(&record.attributes)) {
    rank->descending = !rank->descending;
  } else if (auto* pad = std::get_if<law::PadAttr>(&record.attributes)) {
    pad->bits ^= 1;
  } else if (record.inputs.size() > 1 && draw.chance(2)) {
    std::swap(record.inputs.front(), record.inputs.back());
  } else {
    law::Source& source = record.inputs[draw.below(record.inputs.size())];
    source.from = static_cast<law::From>(draw.below(3));
    source.index = static_cast<uint32_t>(draw.below(12));
  }
  return law::check(program).ok();
}

/// The task of another program, or of other leaves, claimed as this one.
inline void tell_other_run(Story& story, const law::Program& program, std::vector<Bytes> leaves) {
  const Game& game = *story.game_;
  for (uint32_t step = 0; step < game.steps; ++step) {
    story.own[step] = run_step(program, game.about.constants, step, leaves);
    leaves = story.own[step].after;
    story.roots[step] = state_root(game.program(), leaves);
  }
}
inline void tell_wrong_program(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  for (int tries = 0; tries < 30; ++tries) {
    law::Program other = game.program();
    if (rewire(other, any_record(game, draw), draw) && other != game.program()) {
      tell_other_run(story, other, game.traces[0].before);
      return;
    }
  }
}
inline void tell_wrong_data(Story& story, Draw& draw) {
  const Game& game = *story.game_;
  auto tensors = tensors_of(game.program(), game.traces[0].before);
  const uint32_t leaf = any_leaf(game, draw);
  flip_element(tensors[leaf].shape, tensors[leaf].data, draw);
  law::canonicalise(tensors[leaf]);
  std::vector<Bytes> leaves = game.traces[0].before;
  leaves[leaf] = tensors[leaf].data;
  tell_other_run(story, game.program(), std::move(leaves));
}

/// An honest list under a receipt that names another output.
inline void tell_other_end(Story& story, Draw& draw) {
  story.output = draw.chance(2) ? draw.hash() : story.game_->input_root;
}

struct Lie {
  const char* name;
  void (*tell)(Story&, Draw&);
};
inline const std::vector<Lie>& all_lies() {
  static const std::vector<Lie> lies = {
      {"output bit, later follows", [](Story& s, Draw& d) { tell_output(s, Later::follows, d); }},
      {"output bit, later honest", [](Story& s, Draw& d) { tell_output(s, Later::honest, d); }},
      {"output bit, later mixed", [](Story& s, Draw& d) { tell_output(s, Later::mixed, d); }},
      {"written leaf", [](Story& s, Draw& d) { tell_leaf(s, true, d); }},
      {"unwritten leaf", [](Story& s, Draw& d) { tell_leaf(s, false, d); }},
      {"stale leaf", [](Story& s, Draw& d) { tell_stale(s, false, d); }},
      {"stale state", [](Story& s, Draw& d) { tell_stale(s, true, d); }},
      {"random root", tell_random_root},
      {"random output root", tell_random_output},
      {"random leaf hash", tell_random_leaf_hash},
      {"random chunks", tell_random_chunks},
      {"fold state bit", tell_fold_state},
      {"false fold list", tell_fold_list},
      {"false window", tell_window},
      {"other end", tell_other_end},
      {"wrong program", tell_wrong_program},
      {"wrong data", tell_wrong_data},
  };
  return lies;
}

/// How a claimant speaks. From answer number `from` on it does what the way says.
struct Tongue {
  const char* name;
  /// Changes the story's own answer; `honest` is what the truth is there. Null: silence.
  bool (*bend)(Answer&, const Answer& honest, const std::vector<Answer>& said, Draw&);
};
inline const std::vector<Tongue>& all_tongues() {
  using Said = std::vector<Answer>;
  static const std::vector<Tongue> tongues = {
      {"keeps to it", [](Answer&, const Answer&, const Said&, Draw&) { return true; }},
      {"withholds", [](Answer&, const Answer&, const Said&, Draw&) { return false; }},
      {"random hashes",
       [](Answer& answer, const Answer&, const Said&, Draw& draw) {
         for (Hash& hash : answer.hashes) {
           hash = draw.chance(2) ? draw.hash() : hash;
         }
         return true;
       }},
      {"one false bit",
       [](Answer& answer, const Answer&, const Said&, Draw& draw) {
         if (!answer.hashes.empty()) {
           Hash& hash = answer.hashes[draw.below(answer.hashes.size())];
           hash.bytes[draw.below(32)] ^= static_cast<uint8_t>(1U << draw.below(8));
         }
         return true;
       }},
      {"wrong length",
       [](Answer& answer, const Answer&, const Said&, Draw& draw) {
         answer.hashes.resize(draw.chance(2) ? draw.below(300) : answer.hashes.size() + 1);
         return true;
       }},
      {"turns honest",
       [](Answer& answer, const Answer& honest, const Said&, Draw&) {
         answer = honest;
         return true;
       }},
      {"mixes with honest",
       [](Answer& answer, const Answer& honest, const Said&, Draw& draw) {
         for (size_t i = 0; i < answer.hashes.size() && i < honest.hashes.size(); ++i) {
           answer.hashes[i] = draw.chance(2) ? honest.hashes[i] : answer.hashes[i];
         }
         return true;
       }},
      {"honest from a point",
       [](Answer& answer, const Answer& honest, const Said&, Draw& draw) {
         for (size_t i = draw.below(answer.hashes.size() + 1); i < answer.hashes.size(); ++i) {
           answer.hashes[i] = i < honest.hashes.size() ? honest.hashes[i] : answer.hashes[i];
         }
         return true;
       }},
      {"repeats",
       [](Answer& answer, const Answer&, const Said& said, Draw& draw) {
         if (!said.empty()) {
           const size_t size = answer.hashes.size();
           answer.hashes = said[draw.below(said.size())].hashes;
           if (draw.chance(2)) {
             answer.hashes.resize(size);
           }
         }
         return true;
       }},
      {"other salt",
       [](Answer& answer, const Answer&, const Said&, Draw& draw) {
         answer.salt = draw.hash();
         return true;
       }},
      {"shifts",
       [](Answer& answer, const Answer&, const Said&, Draw& draw) {
         if (answer.hashes.size() > 1) {
           const auto by = static_cast<ptrdiff_t>(1 + draw.below(answer.hashes.size() - 1));
           std::rotate(answer.hashes.begin(), answer.hashes.begin() + by, answer.hashes.end());
         }
         return true;
       }},
  };
  return tongues;
}

/// A story told with a tongue. Borrows both stories.
class LyingSpeaker {
 public:
  LyingSpeaker(const Story& story, const Story& truth, const Tongue& tongue, uint64_t seed)
      : story_(&story), truth_(&truth), tongue_(&tongue), draw_(seed) {
    from_ = draw_.below(7);
    always_ = draw_.chance(2);
  }
  std::optional<Answer> operator()(const Place& place) {
    Answer answer = story_->answer(place);
    const size_t number = said_.size();
    const bool bends = number == from_ || (number > from_ && always_);
    if (bends && !tongue_->bend(answer, truth_->answer(place), said_, draw_)) {
      return std::nullopt;
    }
    said_.push_back(answer);
    return answer;
  }

 private:
  const Story* story_;
  const Story* truth_;
  const Tongue* tongue_;
  Draw draw_;
  size_t from_ = 0;
  bool always_ = false;
  std::vector<Answer> said_;
};

}  // namespace lockstep::duels
