// What a recorder writes for a node that uses its store, while a worker writes beside it.
#include "apps/recorder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_random.h"
#include "law/roots.h"
#include "sim/recorded_run.h"
#include "store/blobs.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

/// Fails every so many writes.
class Shaky final : public env::KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    return values_.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    const std::lock_guard lock(mutex_);
    constexpr uint64_t fails_every = 5;
    if (++calls_ % fails_every == 0 && !batch.front().key.starts_with("blob/")) {
      return refuse(Code::disk_full, "full");
    }
    return values_.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    const std::lock_guard lock(mutex_);
    return values_.keys(prefix, after, count_max);
  }

 private:
  env::MemoryKeyValue values_;
  std::mutex mutex_;
  uint64_t calls_ = 0;
};

/// Puts what it hears into its store and asks for a timer that says how that went.
class Listener final : public node::Node {
 public:
  explicit Listener(env::KeyValue& store) : store_(&store) {}
  void start(uint64_t now_ms) override { put(now_ms); }
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override {
    put(now_ms);
    effects_.push_back(node::Send{from, message});
  }
  void on_timer(uint64_t now_ms, uint64_t /*id*/) override { put(now_ms); }
  void on_work(uint64_t /*now_ms*/, node::WorkDone /*done*/) override {}
  void on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) override {}
  void on_providers(uint64_t now_ms, std::span<const crypto::PublicKey> providers) override {
    put(now_ms + providers.size());
  }

 private:
  void put(uint64_t now) {
    for (const char* key : {"one", "two"}) {
      const auto done = store_->apply({{key, Bytes{static_cast<uint8_t>(now)}}});
      effects_.push_back(node::SetTimer{now + (done.ok() ? 1 : 1000), 1});
    }
  }
  env::KeyValue* store_;
};

class ListenerLife final : public sim::ReplayedLife {
 public:
  explicit ListenerLife(env::KeyValue& store) : node_(store) {}
  node::Node& node() override { return node_; }
  node::WorkDone run(const node::RunTask& work) override {
    return {work.id, refuse(Code::internal, "it has no tasks")};
  }

 private:
  Listener node_;
};

class ListenerNode final : public sim::ReplayedNode {
 public:
  Result<std::unique_ptr<sim::ReplayedLife>> live(ByteView /*setup*/,
                                                  env::KeyValue& store,
                                                  env::KeyValue& /*worker_store*/) override {
    return std::unique_ptr<sim::ReplayedLife>(std::make_unique<ListenerLife>(store));
  }
  Result<Bytes> blob(const Hash& /*address*/) override { return Bytes{1, 2, 3}; }
};

class TextSource final : public sim::ByteSource {
 public:
  explicit TextSource(const std::string& path) : in_(path, std::ios::binary) {}
  Result<Bytes> read(size_t count) override {
    Bytes bytes(count);
    in_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
    bytes.resize(static_cast<size_t>(in_.gcount()));
    return bytes;
  }

 private:
  std::ifstream in_;
};

class RecorderTest : public ::testing::Test {
 public:
  ~RecorderTest() override {
    std::error_code failed;
    fs::remove_all(folder_, failed);
  }

 protected:
  RecorderTest() {
    std::string name = fs::temp_directory_path().string() + "/lockstep_recorder_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  /// A life of random inputs; it ends by itself, or stops where it stands.
  void live(TestRandom& random, bool ends) {
    auto recorder = Recorder::begin(folder_, "setup", store_);
    ASSERT_TRUE(recorder.ok()) << recorder.error().message();
    Listener inner((*recorder)->node_store());
    RecordedNode node(inner, **recorder);
    now_ += 10;
    node.start(now_);
    crypto::PublicKey peer;
    for (uint64_t i = random.below(20); i > 0; --i) {
      now_ += random.below(3);
      switch (random.below(3)) {
        case 0:
          node.on_message(now_, peer, net::FollowBlocks{i});
          break;
        case 1:
          node.on_timer(now_, i);
          break;
        default:
          node.on_providers(now_, std::vector<crypto::PublicKey>(i));
          break;
      }
      (void)node.take_effects();
    }
    if (ends) {
      (*recorder)->end();
    }
  }
  [[nodiscard]] std::string replay() {
    ListenerNode node;
    sim::MessageBook messages;
    sim::RecordedRun run("listener", {}, node, messages);
    const auto lives = recorded_lives(folder_);
    EXPECT_TRUE(lives.ok());
    for (const std::string& life : *lives) {
      TextSource source(life);
      const auto lived = run.live(source);
      if (!lived.ok() || !*lived) {
        return lived.ok() ? run.difference()->text() : lived.error().message();
      }
    }
    const auto fits = run.finish(*sim::store_digest(store_));
    return fits.ok() && *fits ? std::string() : "the end differs";
  }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  std::string folder_;
  Shaky store_;
  uint64_t now_ = 1;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

TEST_F(RecorderTest, LivesOverAFailingStoreHappenAgain) {
  // What was there before the first record is part of it.
  store::Blobs before(store_, law::data_mode());
  ASSERT_TRUE(before.put({1, 2, 3}).ok());
  ASSERT_TRUE(store_.apply({{"one", Bytes(3'000'000, 7)}}).ok());
  ASSERT_FALSE(Recorder::is_on(folder_));
  TestRandom random(3);
  for (int life = 0; life < 8; ++life) {
    live(random, life % 2 == 0);
    ASSERT_TRUE(Recorder::is_on(folder_));
    EXPECT_EQ(replay(), "");
  }
}

TEST_F(RecorderTest, ALifeWithoutARecordIsFound) {
  TestRandom random(4);
  live(random, true);
  ASSERT_TRUE(store_.apply({{"one", Bytes{99, 98}}}).ok());
  live(random, true);
  EXPECT_NE(replay().find("life 2, input 0 (birth"), std::string::npos) << replay();
}

TEST_F(RecorderTest, AMissingLifeIsRefused) {
  TestRandom random(5);
  live(random, true);
  live(random, true);
  ASSERT_TRUE(fs::remove(recorded_lives(folder_)->front()));
  EXPECT_FALSE(recorded_lives(folder_).ok());
}

/// The worker's writes lie between inputs, each written down before it is done.
TEST_F(RecorderTest, AWorkerWritesBetweenInputs) {
  auto recorder = Recorder::begin(folder_, "setup", store_);
  ASSERT_TRUE(recorder.ok());
  constexpr int blobs_count = 50;
  std::thread worker([&] {
    store::Blobs blobs((*recorder)->worker_store(), law::data_mode());
    for (uint8_t i = 0; i < blobs_count; ++i) {
      EXPECT_TRUE(blobs.put({i}).ok());
    }
  });
  Listener inner((*recorder)->node_store());
  RecordedNode node(inner, **recorder);
  for (uint64_t i = 0; i < blobs_count; ++i) {
    node.on_timer(i, 1);
  }
  worker.join();
  (*recorder)->end();
  TextSource source(recorded_lives(folder_)->front());
  sim::EntryReader reader(source);
  int writes = 0;
  int inputs = 0;
  bool after_input = false;
  for (auto next = reader.next(); next.ok() && *next; next = reader.next()) {
    writes += std::holds_alternative<sim::WorkerWrites>(**next) ? 1 : 0;
    inputs += sim::is_input(**next) ? 1 : 0;
    // An input, its failures and its effects are not torn apart.
    EXPECT_FALSE(after_input && std::holds_alternative<sim::WorkerWrites>(**next));
    after_input =
        sim::is_input(**next) || (after_input && std::holds_alternative<sim::StoreFailed>(**next));
  }
  EXPECT_EQ(writes, blobs_count);
  EXPECT_EQ(inputs, blobs_count);
}

}  // namespace
}  // namespace lockstep::apps
