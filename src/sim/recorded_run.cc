#include "sim/recorded_run.h"

#include <algorithm>

#include "law/roots.h"
#include "node/provider.h"

namespace lockstep::sim {
namespace {

std::string text_of(const Hash& hash) {
  constexpr size_t shown = 16;
  return to_hex(hash.view()).substr(0, shown);
}

std::string text_of(const EffectMark& mark) {
  return name_of(mark) + " (" + text_of(mark.hash) + ")";
}

std::string key_text(const Bytes& key) {
  const auto slash = std::find(key.begin(), key.end(), uint8_t{'/'});
  return std::string(key.begin(), slash) + "/" +
         to_hex(ByteView(key).subspan(static_cast<size_t>(slash - key.begin())));
}

}  // namespace

std::string Difference::text() const {
  return node + ", life " + std::to_string(life) + ", input " + std::to_string(input) + " (" +
         kind + ", at " + std::to_string(time_ms) + " ms): expected " + expected + ", got " + got;
}

std::optional<Difference> MessageBook::invented() const {
  for (const Received& received : received_) {
    if (nodes_.contains(received.from) && !sent_.contains(received.message)) {
      Difference difference = received.place;
      difference.expected = "a message that its sender sent";
      difference.got = "one that it did not send (" + text_of(received.message) + ")";
      return difference;
    }
  }
  return std::nullopt;
}

/// The node's store in memory. Fails where the real one failed, and can take back what the last
/// entry did: a process that was killed may have come half-way through it.
class RecordedRun::Store final : public env::KeyValue {
 public:
  void begin(std::map<uint64_t, Error> failures) {
    failures_ = std::move(failures);
    call_ = 0;
    undo_.clear();
  }
  Result<std::optional<Bytes>> get(const std::string& key) override {
    TRY(count());
    return values_.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    TRY(count());
    return write(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    TRY(count());
    return values_.keys(prefix, after, count_max);
  }
  /// Not a call of the node's.
  Result<void> write(std::vector<Change> batch) {
    std::vector<Change> before;
    before.reserve(batch.size());
    for (const Change& change : batch) {
      before.push_back({change.key, TRY(values_.get(change.key))});
    }
    std::reverse(before.begin(), before.end());
    undo_.push_back(std::move(before));
    return values_.apply(std::move(batch));
  }
  /// False: nothing is left to be taken back.
  Result<bool> take_back() {
    if (undo_.empty()) {
      return false;
    }
    TRY(values_.apply(std::move(undo_.back())));
    undo_.pop_back();
    return true;
  }
  [[nodiscard]] env::KeyValue& values() { return values_; }

 private:
  Result<void> count() {
    const auto failure = failures_.find(call_++);
    return failure == failures_.end() ? Result<void>() : Result<void>(failure->second);
  }
  env::MemoryKeyValue values_;
  std::map<uint64_t, Error> failures_;
  uint64_t call_ = 0;
  std::vector<std::vector<Change>> undo_;
};

/// The worker's door to the store: what a task writes stays here until the record says when it was
/// written.
class RecordedRun::Workbench final : public env::KeyValue {
 public:
  explicit Workbench(env::KeyValue& below) : below_(&below) {}
  Result<std::optional<Bytes>> get(const std::string& key) override {
    const auto found = written_.find(key);
    return found != written_.end() ? found->second : below_->get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    for (Change& change : batch) {
      written_[change.key] = std::move(change.value);
    }
    return {};
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    std::vector<std::string> all = TRY(below_->keys(prefix, after, count_max));
    const std::vector<std::string> own = env::keys_of(written_, prefix, after, count_max);
    all.insert(all.end(), own.begin(), own.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    all.resize(std::min(all.size(), count_max));
    return all;
  }
  [[nodiscard]] std::map<std::string, std::optional<Bytes>>& written() { return written_; }

 private:
  env::KeyValue* below_;
  std::map<std::string, std::optional<Bytes>> written_;
};

struct RecordedRun::Life {
  Life(ByteSource& source, Store& store) : reader(source), workbench(store.values()) {}
  EntryReader reader;
  std::optional<RecordedEntry> next;  // read ahead
  Workbench workbench;
  std::deque<std::unique_ptr<Queued>> queue;
  std::deque<node::WorkDone> done;  // of the first in the queue
  std::unique_ptr<ReplayedLife> made;
  std::optional<Error> not_made;

  Result<void> read() {
    next = TRY(reader.next());
    return {};
  }
  Result<std::optional<RecordedEntry>> take() {
    auto taken = std::exchange(next, std::nullopt);
    TRY(read());
    return taken;
  }
  /// The next in the queue that did not run. False: all have.
  bool run_next() {
    if (done.size() == queue.size()) {
      return false;
    }
    done.push_back(made->run(queue[done.size()]->work));
    return true;
  }
};

RecordedRun::RecordedRun(std::string name,
                         const crypto::PublicKey& key,
                         ReplayedNode& node,
                         MessageBook& messages)
    : name_(std::move(name)),
      key_(key),
      node_(&node),
      messages_(&messages),
      store_(std::make_unique<Store>()) {
  place_.node = name_;
  messages_->replayed(key_);
}

RecordedRun::~RecordedRun() = default;

env::KeyValue& RecordedRun::store() {
  return store_->values();
}

Result<bool> RecordedRun::differs(std::string expected, std::string got) {
  difference_ = place_;
  difference_->expected = std::move(expected);
  difference_->got = std::move(got);
  return false;
}

/// Makes the store what the next life found. The last entry of a process that was killed may have
/// been carried out in part: its last batches are taken back until it fits.
Result<bool> RecordedRun::settle(const Hash& store) {
  const Hash full = TRY(store_digest(store_->values()));
  Hash now = full;
  while (now != store) {
    if (!TRY(store_->take_back())) {
      return differs("a store of digest " + text_of(store), text_of(full));
    }
    now = TRY(store_digest(store_->values()));
  }
  return true;
}

Result<bool> RecordedRun::load_snapshot(Life& life, const Hash& store) {
  std::map<std::string, Bytes> values;
  while (life.next && std::holds_alternative<Kept>(*life.next)) {
    const auto kept = std::get<Kept>(*TRY(life.take()));
    const std::string key(kept.key.begin(), kept.key.end());
    if (const auto address = blob_of(key)) {
      Bytes bytes = TRY(node_->blob(*address));
      if (crypto::hash(law::data_mode(), bytes) != *address) {
        return differs("blob " + text_of(*address), "other bytes");
      }
      values[key] = std::move(bytes);
    } else {
      Bytes& value = values[key];
      value.insert(value.end(), kept.value.begin(), kept.value.end());
    }
  }
  for (auto& [key, value] : values) {
    TRY(store_->write({{key, std::move(value)}}));
  }
  store_->begin({});
  return settle(store);
}

Result<bool> RecordedRun::begin(Life& life, const Born& born) {
  if (born.version != record_version || born.has_snapshot != (counts_.lives == 0)) {
    return refuse(Code::bad_folder,
                  born.version != record_version ? "this record is of another version"
                                                 : "the record's first life is missing",
                  "replay it with the program that wrote it",
                  name_);
  }
  place_ = {name_, born.life, 0, 0, "birth", {}, {}};
  const bool fits =
      born.has_snapshot ? TRY(load_snapshot(life, born.store)) : TRY(settle(born.store));
  if (!fits) {
    return false;
  }
  ++counts_.lives;
  std::map<uint64_t, Error> failures;
  while (life.next && std::holds_alternative<StoreFailed>(*life.next)) {
    const auto failed = std::get<StoreFailed>(*TRY(life.take()));
    failures.emplace(failed.call, error_of(failed.error));
  }
  store_->begin(std::move(failures));
  auto made = node_->live(born.setup, *store_, life.workbench);
  if (made.ok()) {
    life.made = std::move(made).value();
  } else {
    life.not_made = made.error();
  }
  return true;
}

Result<bool> RecordedRun::live(ByteSource& source) {
  Life life(source, *store_);
  TRY(life.read());
  const auto first = TRY(life.take());
  if (!first) {
    return true;  // it died before it did anything
  }
  const auto* const born = std::get_if<Born>(&*first);
  if (born == nullptr) {
    return refuse(Code::bad_folder, "the record does not begin with a birth", {}, name_);
  }
  bool same = TRY(begin(life, *born));
  bool ended = false;
  while (same && life.next) {
    RecordedEntry entry = *TRY(life.take());
    ended = std::holds_alternative<Ended>(entry);
    same = ended || TRY(step(life, std::move(entry)));
  }
  counts_.cut_lives += ended ? 0 : 1;
  return same;
}

Result<bool> RecordedRun::step(Life& life, RecordedEntry entry) {
  if (is_input(entry)) {
    return input(life, std::move(entry));
  }
  if (const auto* const writes = std::get_if<WorkerWrites>(&entry)) {
    if (life.next && std::holds_alternative<WorkerFailed>(*life.next)) {
      (void)TRY(life.take());
      return true;
    }
    return worker_writes(life, *writes);
  }
  return refuse(Code::bad_folder, "the record has an entry out of place", {}, name_);
}

Result<bool> RecordedRun::input(Life& life, RecordedEntry entry) {
  ++counts_.inputs;
  ++place_.input;
  place_.time_ms = time_of(entry);
  place_.kind = name_of(entry);
  if (life.not_made) {
    return differs("a node", life.not_made->message());
  }
  std::map<uint64_t, Error> failures;
  while (life.next && std::holds_alternative<StoreFailed>(*life.next)) {
    const auto failed = std::get<StoreFailed>(*TRY(life.take()));
    failures.emplace(failed.call, error_of(failed.error));
  }
  std::optional<std::vector<EffectMark>> expected;
  if (life.next && std::holds_alternative<EffectsLeft>(*life.next)) {
    expected = std::get<EffectsLeft>(*TRY(life.take())).effects;
  } else if (life.next) {
    expected.emplace();
  }
  store_->begin(std::move(failures));
  if (!TRY(give(life, entry))) {
    return false;
  }
  if (std::holds_alternative<LendingChanged>(entry)) {
    return true;
  }
  const std::vector<EffectMark> got = take_effects(life);
  // A process that was killed may not have come to write down what its last input led to.
  return expected ? compare(*expected, got) : Result<bool>(true);
}

Result<bool> RecordedRun::give(Life& life, RecordedEntry& entry) {
  const uint64_t now = place_.time_ms;
  node::Node& node = life.made->node();
  if (std::holds_alternative<Started>(entry)) {
    node.start(now);
  } else if (const auto* const message = std::get_if<MessageCame>(&entry)) {
    messages_->received(
        {message->from, message_hash(message->from, key_, message->message), place_});
    node.on_message(now, message->from, message->message);
  } else if (const auto* const timer = std::get_if<TimerRang>(&entry)) {
    node.on_timer(now, timer->id);
  } else if (const auto* const came = std::get_if<WorkCame>(&entry)) {
    return work(life, *came);
  } else if (const auto* const signature = std::get_if<SignedCame>(&entry)) {
    node.on_signed(now, signature->transaction);
  } else if (const auto* const providers = std::get_if<ProvidersCame>(&entry)) {
    node.on_providers(now, providers->keys);
  } else if (const auto* const lending = std::get_if<LendingChanged>(&entry)) {
    auto* const provider = dynamic_cast<node::Provider*>(&node);
    if (provider == nullptr) {
      return differs("a provider", "a node that lends nothing");
    }
    provider->set_open(lending->open);
  }
  return true;
}

Result<bool> RecordedRun::work(Life& life, const WorkCame& came) {
  if (life.queue.empty() || life.queue.front()->work.id != came.id) {
    return differs("task " + std::to_string(came.id) + " to be done",
                   life.queue.empty()
                       ? std::string("no task in hand")
                       : "task " + std::to_string(life.queue.front()->work.id) + " in hand");
  }
  ++counts_.tasks;
  // What the machine's disk or memory did to it cannot be computed.
  const bool is_given = came.error && (error_of(*came.error).is_fault() ||
                                       error_of(*came.error).code == Code::no_offer);
  if (!is_given) {
    if (life.done.empty()) {
      (void)life.run_next();
    }
    const node::WorkDone& first = life.done.front();
    const Hash result = result_hash(first);
    if (result != came.result) {
      return differs(
          came.error ? error_of(*came.error).message() : "a result of hash " + text_of(came.result),
          first.result.ok() ? text_of(result) : first.result.error().message());
    }
    // With another task's writes in hand it is not known whose are missing: that one will tell.
    for (const auto& [key, value] : life.workbench.written()) {
      if (life.done.size() == 1 && blob_of(key) && !TRY(store_->values().get(key))) {
        return differs("a task that does not write blob " + text_of(*blob_of(key)),
                       "one that does");
      }
    }
  }
  node::WorkDone done =
      is_given ? node::WorkDone{came.id, error_of(*came.error)} : std::move(life.done.front());
  if (!life.done.empty()) {
    life.done.pop_front();
  }
  life.queue.pop_front();
  if (life.done.empty()) {
    life.workbench.written().clear();
  }
  life.made->node().on_work(place_.time_ms, std::move(done));
  return true;
}

Result<bool> RecordedRun::worker_writes(Life& life, const WorkerWrites& writes) {
  store_->begin({});
  if (life.queue.empty()) {
    return differs("no task in hand", "a task that writes");
  }
  std::vector<env::KeyValue::Change> batch;
  batch.reserve(writes.values.size());
  for (const Kept& kept : writes.values) {
    const std::string key(kept.key.begin(), kept.key.end());
    auto found = life.workbench.written().find(key);
    // The worker may be ahead of what the node has heard of.
    while (found == life.workbench.written().end() && life.run_next()) {
      found = life.workbench.written().find(key);
    }
    if (found == life.workbench.written().end()) {
      return differs("a task that writes " + key_text(kept.key), "one that does not");
    }
    // When a blob was used last is in the index, and depends on two threads.
    batch.push_back({key, blob_of(key) ? found->second : std::optional(kept.value)});
  }
  TRY(store_->write(std::move(batch)));
  return true;
}

std::vector<EffectMark> RecordedRun::take_effects(Life& life) {
  std::vector<EffectMark> marks;
  node::Effects effects = life.made->node().take_effects();
  marks.reserve(effects.size());
  for (node::Effect& effect : effects) {
    marks.push_back(mark_of(effect));
    if (const auto* const sent = std::get_if<node::Send>(&effect)) {
      messages_->sent(message_hash(key_, sent->to, sent->message));
    } else if (auto* const run = std::get_if<node::RunTask>(&effect)) {
      auto queued = std::make_unique<Queued>();
      queued->program = *run->task.program;
      queued->work = std::move(*run);
      queued->work.task.program = &queued->program;
      life.queue.push_back(std::move(queued));
    }
  }
  counts_.effects += marks.size();
  return marks;
}

Result<bool> RecordedRun::compare(const std::vector<EffectMark>& expected,
                                  const std::vector<EffectMark>& got) {
  for (size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
    if (i < expected.size() && i < got.size() && expected[i] == got[i]) {
      continue;
    }
    const std::string number = "effect " + std::to_string(i + 1) + " ";
    return differs(number + (i < expected.size() ? text_of(expected[i]) : std::string("none")),
                   i < got.size() ? text_of(got[i]) : std::string("none"));
  }
  return true;
}

Result<bool> RecordedRun::finish(const Hash& store) {
  place_.kind = "store at the end";
  return settle(store);
}

}  // namespace lockstep::sim
