// Records of small made-up nodes: what replays, and what every kind of difference is named.
#include "sim/recorded_run.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "law/roots.h"
#include "store/blobs.h"

namespace lockstep::sim {
namespace {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
  Result<Bytes> read(size_t count) override {
    const size_t size = std::min(count, bytes_.size() - at_);
    const ByteView part = ByteView(bytes_).subspan(at_, size);
    at_ += size;
    return Bytes(part.begin(), part.end());
  }

 private:
  Bytes bytes_;
  size_t at_ = 0;
};

/// Counts in its store: a timer writes twice, a message is answered with the count, message
/// CancelTask has a task run. `twist` makes it another program.
class Counter final : public node::Node {
 public:
  Counter(env::KeyValue& store, bool twist) : store_(&store), twist_(twist) {}
  void start(uint64_t now_ms) override { effects_.push_back(node::SetTimer{now_ms + 10, 1}); }
  void on_message(uint64_t /*now_ms*/,
                  const crypto::PublicKey& from,
                  const net::Message& message) override {
    if (std::holds_alternative<net::CancelTask>(message)) {
      node::RunTask work;
      work.id = 7;
      work.task.program = &program_;
      effects_.push_back(std::move(work));
      return;
    }
    effects_.push_back(node::Send{from, net::FollowBlocks{count() + (twist_ ? 1 : 0)}});
  }
  void on_timer(uint64_t now_ms, uint64_t id) override {
    const uint64_t now = count();
    const bool ok = put("a", now + 1) && put("b", now + 1);
    effects_.push_back(node::SetTimer{now_ms + (ok ? 10U : 99U), id});
  }
  void on_work(uint64_t /*now_ms*/, node::WorkDone done) override {
    node::TaskDeclined told;
    told.reason = done.result.ok() ? "good" : done.result.error().what;
    effects_.push_back(node::Tell{told});
  }
  void on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) override {}

 private:
  uint64_t count() {
    const auto bytes = store_->get("a");
    return bytes.ok() && *bytes ? (*bytes)->front() : 0;
  }
  bool put(const std::string& key, uint64_t value) {
    return store_->apply({{key, Bytes{static_cast<uint8_t>(value)}}}).ok();
  }
  env::KeyValue* store_;
  bool twist_;
  model::ProgramRef program_;
};

const Bytes output = {1, 2, 3};

/// A machine whose tasks leave one blob.
class CounterLife final : public ReplayedLife {
 public:
  CounterLife(env::KeyValue& store, env::KeyValue& worker_store, bool twist)
      : counter_(store, twist), blobs_(worker_store, law::data_mode()) {}
  node::Node& node() override { return counter_; }
  node::WorkDone run(const node::RunTask& work) override {
    const auto put = blobs_.put(output);
    model::Execution done;
    done.output_root = put.ok() ? *put : Hash();
    return {work.id, std::variant<model::Execution, std::vector<Hash>, model::StepTrace>(done)};
  }

 private:
  Counter counter_;
  store::Blobs blobs_;
};

class CounterNode final : public ReplayedNode {
 public:
  explicit CounterNode(bool twist = false) : twist_(twist) {}
  Result<std::unique_ptr<ReplayedLife>> live(ByteView /*setup*/,
                                             env::KeyValue& store,
                                             env::KeyValue& worker_store) override {
    return std::unique_ptr<ReplayedLife>(
        std::make_unique<CounterLife>(store, worker_store, twist_));
  }
  Result<Bytes> blob(const Hash& /*address*/) override { return output; }

 private:
  bool twist_;
};

crypto::PublicKey key_of(uint8_t number) {
  crypto::PublicKey key;
  key.bytes.fill(number);
  return key;
}

/// Writes a record by hand, as the recorder would, over a store of its own.
class Script {
 public:
  Script() { born(true); }
  void add(const RecordedEntry& entry) {
    const Bytes bytes = framed(entry);
    lives_.back().insert(lives_.back().end(), bytes.begin(), bytes.end());
  }
  /// A new process over what the store is now.
  void born(bool snapshot = false) {
    lives_.emplace_back(record_magic.begin(), record_magic.end());
    Born born;
    born.life = lives_.size();
    born.has_snapshot = snapshot;
    born.store = *store_digest(store_);
    life_ = std::make_unique<CounterLife>(store_, store_, false);
    add(born);
  }
  void start(uint64_t now) {
    add(Started{now});
    life_->node().start(now);
    effects();
  }
  void timer(uint64_t now) {
    add(TimerRang{now, 1});
    life_->node().on_timer(now, 1);
    effects();
  }
  void message(uint64_t now, const net::Message& message) {
    add(MessageCame{now, key_of(9), message});
    life_->node().on_message(now, key_of(9), message);
    effects();
  }
  void work(uint64_t now, bool written = true) {
    env::MemoryKeyValue elsewhere;
    const Hash address = *store::Blobs(elsewhere, law::data_mode()).put(output);
    WorkerWrites writes;
    std::vector<env::KeyValue::Change> batch;
    for (const char* prefix : {"blob/", "size/"}) {
      const std::string key = prefix + std::string(address.bytes.begin(), address.bytes.end());
      const Bytes value = **elsewhere.get(key);
      const Bytes kept = blob_of(key) ? Bytes() : value;
      writes.values.push_back({Bytes(key.begin(), key.end()), kept});
      batch.push_back({key, value});
    }
    if (written) {
      add(writes);
      ASSERT_TRUE(store_.apply(batch).ok());
    }
    CounterLife machine(elsewhere, elsewhere, false);
    node::RunTask task;
    task.id = 7;
    node::WorkDone done = machine.run(task);
    add(WorkCame{now, 7, result_hash(done), std::nullopt});
    life_->node().on_work(now, std::move(done));
    effects();
  }
  void effects() {
    EffectsLeft left;
    for (const node::Effect& effect : life_->node().take_effects()) {
      left.effects.push_back(mark_of(effect));
    }
    add(left);
  }
  void cut(size_t bytes) { lives_.back().resize(lives_.back().size() - bytes); }
  env::MemoryKeyValue& store() { return store_; }
  std::vector<Bytes>& lives() { return lives_; }

  /// What differs; nothing when all is as recorded.
  std::optional<Difference> replay(bool twist = false) {
    CounterNode node(twist);
    MessageBook messages;
    RecordedRun run("counter", key_of(1), node, messages);
    bool same = true;
    for (const Bytes& life : lives_) {
      MemorySource source(life);
      const auto lived = same ? run.live(source) : Result<bool>(false);
      EXPECT_TRUE(lived.ok()) << lived.error().message();
      same = lived.ok() && *lived;
    }
    counts = run.counts();
    same = same && *run.finish(*store_digest(store_));
    EXPECT_EQ(same, !run.difference().has_value());
    return run.difference();
  }
  RecordedRun::Counts counts;

 private:
  env::MemoryKeyValue store_;
  std::vector<Bytes> lives_;
  std::unique_ptr<CounterLife> life_;
};

TEST(RecordedRun, WhatWasRecordedHappensAgain) {
  Script script;
  script.start(5);
  script.timer(15);
  script.message(16, net::FollowBlocks{3});
  script.message(17, net::CancelTask{});
  script.work(18);
  script.timer(25);
  script.add(Ended{});
  script.born();
  script.start(100);
  script.message(101, net::FollowBlocks{3});
  script.add(Ended{});
  const auto difference = script.replay();
  EXPECT_FALSE(difference) << difference->text();
  EXPECT_EQ(script.counts.lives, 2U);
  EXPECT_EQ(script.counts.cut_lives, 0U);
  EXPECT_EQ(script.counts.inputs, 8U);
  EXPECT_EQ(script.counts.tasks, 1U);
}

TEST(RecordedRun, AnotherProgramIsFoundAtItsFirstOtherEffect) {
  Script script;
  script.start(5);
  script.timer(15);
  script.message(16, net::FollowBlocks{3});
  const auto difference = script.replay(true);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->node, "counter");
  EXPECT_EQ(difference->input, 3U);
  EXPECT_EQ(difference->time_ms, 16U);
  EXPECT_EQ(difference->kind, "message FollowBlocks");
  EXPECT_NE(difference->expected.find("send FollowBlocks"), std::string::npos);
}

/// kill -9 within an input: its first write is there, its second is not, or neither, or both.
TEST(RecordedRun, AProcessMayDieAnywhereWithinAnInput) {
  for (int writes = 0; writes <= 2; ++writes) {
    for (const bool torn : {false, true}) {
      Script script;
      script.start(5);
      script.timer(15);
      script.add(TimerRang{25, 1});
      if (writes > 0) {
        ASSERT_TRUE(script.store().apply({{"a", Bytes{2}}}).ok());
      }
      if (writes > 1) {
        ASSERT_TRUE(script.store().apply({{"b", Bytes{2}}}).ok());
      }
      if (torn) {
        script.add(TimerRang{26, 1});
        script.cut(3);
      }
      script.born();
      script.start(100);
      script.timer(110);
      script.message(111, net::FollowBlocks{3});
      const auto difference = script.replay();
      EXPECT_FALSE(difference) << writes << ": " << difference->text();
      EXPECT_EQ(script.counts.cut_lives, 2U);
    }
  }
}

TEST(RecordedRun, AStoreThatSomebodyElseChangedIsFound) {
  Script script;
  script.start(5);
  script.timer(15);
  ASSERT_TRUE(script.store().apply({{"a", Bytes{77}}}).ok());
  script.born();
  const auto difference = script.replay();
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->life, 2U);
  EXPECT_EQ(difference->kind, "birth");
}

TEST(RecordedRun, TheStoreFailsWhereItFailed) {
  Script script;
  script.start(5);
  script.add(TimerRang{15, 1});
  // get and the first write succeed, the second write fails: it asks to be woken later.
  script.add(StoreFailed{2, recorded(refuse(Code::disk_full, "full"))});
  ASSERT_TRUE(script.store().apply({{"a", Bytes{1}}}).ok());
  script.add(EffectsLeft{{mark_of(node::SetTimer{15 + 99, 1})}});
  script.message(16, net::FollowBlocks{3});
  const auto difference = script.replay();
  EXPECT_FALSE(difference) << difference->text();
}

TEST(RecordedRun, AnotherResultOfATaskIsFound) {
  Script script;
  script.start(5);
  script.message(17, net::CancelTask{});
  script.add(WorkCame{18, 7, Hash(), std::nullopt});
  script.add(Ended{});
  auto difference = script.replay();
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->kind, "work done");
  EXPECT_NE(difference->expected.find("a result"), std::string::npos);

  Script silent;
  silent.start(5);
  silent.message(17, net::CancelTask{});
  silent.work(18, false);
  difference = silent.replay();
  ASSERT_TRUE(difference);
  EXPECT_NE(difference->expected.find("does not write"), std::string::npos);
}

TEST(RecordedRun, AnErrorOfTheDiskIsTakenAsItWas) {
  Script script;
  script.start(5);
  script.message(17, net::CancelTask{});
  const Error error = refuse(Code::disk_full, "full");
  script.add(WorkCame{18, 7, result_hash({7, error}), recorded(error)});
  node::TaskDeclined told;
  told.reason = "full";
  script.add(EffectsLeft{{mark_of(node::Tell{told})}});
  const auto difference = script.replay();
  EXPECT_FALSE(difference) << difference->text();
}

TEST(RecordedRun, AMessageThatNobodySentIsFound) {
  CounterNode node;
  MessageBook messages;
  messages.replayed(key_of(9));
  RecordedRun run("counter", key_of(1), node, messages);
  Script script;
  script.start(5);
  script.message(16, net::FollowBlocks{3});
  MemorySource source(script.lives().front());
  ASSERT_TRUE(*run.live(source));
  const auto invented = messages.invented();
  ASSERT_TRUE(invented);
  EXPECT_EQ(invented->input, 2U);
  messages.sent(message_hash(key_of(9), key_of(1), net::FollowBlocks{3}));
  EXPECT_FALSE(messages.invented());
}

/// Whatever is cut off the end, the rest is read; a changed bit is an error, never another entry.
TEST(RecordedEntries, ATornEndIsCutAndDamageIsRefused) {
  Script script;
  script.start(5);
  script.timer(15);
  const Bytes whole = script.lives().front();
  for (size_t size = 0; size <= whole.size(); ++size) {
    MemorySource source(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
    EntryReader reader(source);
    size_t read = 0;
    auto next = reader.next();
    for (; next.ok() && *next; next = reader.next()) {
      ++read;
    }
    ASSERT_TRUE(next.ok()) << size;
    ASSERT_LE(read, 5U);
    ASSERT_EQ(reader.is_torn() || size == whole.size() || read < 5, true);
  }
  TestRandom random(1);
  for (int i = 0; i < 300; ++i) {
    Bytes bytes = whole;
    bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1U << random.below(8));
    MemorySource source(bytes);
    EntryReader reader(source);
    auto next = reader.next();
    for (; next.ok() && *next; next = reader.next()) {
    }
    EXPECT_TRUE(!next.ok() || reader.is_torn()) << i;
  }
}

}  // namespace
}  // namespace lockstep::sim
