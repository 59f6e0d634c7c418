#include "platform/rocks.h"

#include <algorithm>

#include "base/test_random.h"
#include "base/test_soak.h"
#include "platform/kill_point.h"
#include "platform/test_child.h"

namespace lockstep::platform {
namespace {

using Change = env::KeyValue::Change;
using Store = std::unique_ptr<RocksKeyValue>;

/// Bytes that a number and a size determine.
Bytes value_of(uint64_t number, size_t size) {
  TestRandom random(number);
  Bytes bytes(size);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random.next());
  }
  return bytes;
}

Store opened(const std::string& folder, const RocksOptions& options = {}) {
  auto store = RocksKeyValue::open(folder, options);
  EXPECT_TRUE(store.ok()) << store.error().message();
  return store.ok() ? std::move(*store) : nullptr;
}

std::vector<Change> random_batch(TestRandom& random) {
  std::vector<Change> batch;
  const uint64_t count = random.below(8);
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = random.of<const char*>({"a/", "b/", "b", "ba/", ""});
    key += std::to_string(random.below(12));
    if (random.chance(4)) {
      batch.push_back({key, std::nullopt});
      continue;
    }
    // Round the border between small and large.
    const size_t size = random.of<size_t>({0, 1, 100, 32767, 32768, 32769, 70000});
    batch.push_back({key, value_of(random.next(), size)});
  }
  return batch;
}

void expect_same(env::KeyValue& store, env::KeyValue& memory, TestRandom& random) {
  const auto all = memory.keys("", "", 1000);
  ASSERT_EQ(*store.keys("", "", 1000), *all);
  for (const std::string& key : *all) {
    ASSERT_EQ(*store.get(key), *memory.get(key)) << key;
  }
  EXPECT_FALSE(store.get("nobody wrote this")->has_value());
  for (const char* prefix : {"", "a/", "b", "b/", "ba/", "c"}) {
    const std::string after =
        random.chance(3) ? ""
                         : random.of<const char*>({"a", "a/5", "b/", "b/1", "b3", "ba/2", "z"});
    const size_t count = random.below(6);
    EXPECT_EQ(*store.keys(prefix, after, count), *memory.keys(prefix, after, count))
        << prefix << " after " << after;
  }
}

TEST(RocksKeyValue, IsAMapOnDisk) {
  for (uint64_t seed = 0; seed < 3 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    const TestFolder folder;
    TestRandom random(seed);
    env::MemoryKeyValue memory;
    RocksOptions options;
    options.sync_each = seed % 3 == 1;
    options.buffer_bytes_max = size_t{1} << 20;  // so that much of it is flushed and merged
    Store store = opened(folder.at("db"), options);
    ASSERT_NE(store, nullptr);
    for (int step = 0; step < 120; ++step) {
      const std::vector<Change> batch = random_batch(random);
      ASSERT_TRUE(memory.apply(batch).ok());
      ASSERT_TRUE(store->apply(batch).ok());
      if (random.chance(3)) {
        ASSERT_TRUE(store->sync().ok());
      }
      if (random.chance(12)) {
        expect_same(*store, memory, random);
      }
      if (random.chance(40)) {
        ASSERT_TRUE(store->compact().ok());
        expect_same(*store, memory, random);
      }
      if (random.chance(30)) {
        store.reset();
        store = opened(folder.at("db"), options);
        ASSERT_NE(store, nullptr);
        expect_same(*store, memory, random);
      }
    }
  }
}

TEST(RocksKeyValue, KeepsABlobOf64MebibytesAndNoLargerOne) {
  const TestFolder folder;
  Store store = opened(folder.at("db"));
  ASSERT_NE(store, nullptr);
  Bytes blob(size_t{64} << 20, 7);
  blob.front() = 1;
  blob.back() = 2;
  ASSERT_TRUE(store->apply({{"blob/1", blob}}).ok());
  ASSERT_TRUE(store->sync().ok());
  EXPECT_TRUE(*store->get("blob/1") == blob);
  store.reset();
  store = opened(folder.at("db"));
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(*store->get("blob/1") == blob);
  blob.push_back(3);
  EXPECT_EQ(store->apply({{"a", Bytes{1}}, {"blob/2", blob}}).error().code, Code::too_large);
  EXPECT_FALSE(store->get("a")->has_value());
}

TEST(RocksKeyValue, GivesTheSpaceOfDeletedBlobsBack) {
  const TestFolder folder;
  Store store = opened(folder.at("db"));
  ASSERT_NE(store, nullptr);
  const auto used = [&folder] {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      sum += entry.is_regular_file() ? entry.file_size() : 0;
    }
    return sum;
  };
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(store->apply({{"blob/" + std::to_string(i), Bytes(size_t{1} << 20, 5)}}).ok());
  }
  EXPECT_GE(used(), uint64_t{8} << 20);
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(store->apply({{"blob/" + std::to_string(i), std::nullopt}}).ok());
  }
  ASSERT_TRUE(store->compact().ok());
  EXPECT_LT(used(), uint64_t{3} << 20);
  EXPECT_EQ(store->get("blob/7")->value().size(), size_t{1} << 20);
}

// Batch n writes these keys and deletes those of batch n - window: all of that, or nothing.
constexpr uint64_t window = 20;

std::vector<Change> numbered_batch(uint64_t number) {
  TestRandom random(number);
  std::vector<Change> batch;
  const uint64_t count = 1 + random.below(4);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t size = random.chance(5) ? 40'000 + random.below(200'000) : random.below(500);
    batch.push_back({"n/" + std::to_string(number) + "/" + std::to_string(i),
                     value_of(number * 100 + i, size)});
  }
  batch.push_back({"last/" + std::to_string(number % 3), Bytes{static_cast<uint8_t>(number)}});
  return batch;
}

std::vector<Change> with_deletions(uint64_t number) {
  std::vector<Change> batch = numbered_batch(number);
  if (number >= window) {
    for (const Change& old : numbered_batch(number - window)) {
      if (old.key.starts_with("n/")) {
        batch.push_back({old.key, std::nullopt});
      }
    }
  }
  return batch;
}

/// FOLDER FIRST [POINT]: applies batches from FIRST on, syncs now and then, and says up to which
/// one.
int writer(const TestArguments& arguments) {
  RocksOptions options;
  options.buffer_bytes_max = size_t{2} << 20;
  const auto store = RocksKeyValue::open(arguments[0], options);
  ROLE_CHECK(store.ok());
  if (arguments.size() > 2) {
    ROLE_CHECK(KillPoints::trace(arguments[0] + ".trace").ok());
    ROLE_CHECK(KillPoints::arm(arguments[2]).ok());
  }
  TestRandom random(std::stoull(arguments[1]));
  for (uint64_t number = std::stoull(arguments[1]);; ++number) {
    ROLE_CHECK((*store)->apply(with_deletions(number)).ok());
    if (random.chance(3)) {
      ROLE_CHECK((*store)->sync().ok());
      test_say(std::to_string(number + 1));
    }
  }
}
const bool writer_known = add_test_role("writer", &writer);

/// How many batches are there: all of each, from the first on, without a gap.
uint64_t whole_batches(env::KeyValue& store, uint64_t at_least) {
  uint64_t count = at_least;
  while (store.get("n/" + std::to_string(count) + "/0")->has_value()) {
    ++count;
  }
  std::vector<std::string> wanted;
  for (uint64_t number = count < window ? 0 : count - window; number < count; ++number) {
    for (const Change& change : numbered_batch(number)) {
      if (change.key.starts_with("n/")) {
        wanted.push_back(change.key);
        EXPECT_TRUE(*store.get(change.key) == change.value) << change.key;
      }
    }
    if (number + 3 >= count) {
      EXPECT_EQ(*store.get("last/" + std::to_string(number % 3)),
                Bytes{static_cast<uint8_t>(number)});
    }
  }
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(*store.keys("n/", "", 10'000), wanted);
  return count;
}

TEST(RocksKeyValue, LosesNothingAcknowledgedWhenKilled) {
  const TestFolder folder;
  TestRandom random(1);
  uint64_t first = 0;
  const uint64_t rounds = 12 * soak_times();
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    uint64_t acknowledged = first;
    {
      TestChild child("writer", {folder.at("db"), std::to_string(first)});
      const uint64_t lines = random.below(12);
      for (uint64_t i = 0; i < lines; ++i) {
        acknowledged = std::stoull(child.line());
      }
      ::usleep(static_cast<useconds_t>(random.below(20'000)));
      child.kill();
      for (std::string line = child.line(); !line.empty(); line = child.line()) {
        acknowledged = std::stoull(line);
      }
    }
    const Store store = opened(folder.at("db"));
    ASSERT_NE(store, nullptr);
    first = whole_batches(*store, acknowledged);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(first, rounds);  // something was tried
}

TEST(RocksKeyValue, ReachesItsKillPoints) {
  struct Case {
    const char* point;
    uint64_t times;
    uint64_t batches;  // there when it was opened again
  };
  for (const Case& tried : {Case{"store.before:n", 4, 3},
                            Case{"store.after:n", 4, 4},
                            Case{"store.before:last", 6, 5},
                            Case{"store.after:last", 6, 6},
                            Case{"sync.before", 2, 0},
                            Case{"sync.after", 3, 0}}) {
    SCOPED_TRACE(tried.point);
    const TestFolder folder;
    TestChild child("writer",
                    {folder.at("db"), "0", tried.point + (":" + std::to_string(tried.times))});
    uint64_t acknowledged = 0;
    for (std::string line = child.line(); !line.empty(); line = child.line()) {
      acknowledged = std::stoull(line);
    }
    EXPECT_EQ(child.wait(), -SIGKILL);
    EXPECT_EQ(read_kill_trace(folder.at("db.trace"))->at(tried.point), tried.times);
    const Store store = opened(folder.at("db"));
    ASSERT_NE(store, nullptr);
    const uint64_t batches = whole_batches(*store, acknowledged);
    if (tried.batches > 0) {
      EXPECT_EQ(batches, tried.batches);
    } else {
      EXPECT_GT(batches, acknowledged);  // synced or not, the last ones were not acknowledged
    }
  }
}

/// FOLDER: opens it and says so, until killed.
int holder(const TestArguments& arguments) {
  const auto store = RocksKeyValue::open(arguments[0]);
  test_say(store.ok() ? "open" : store.error().message());
  while (true) {
    ::pause();
  }
}
const bool holder_known = add_test_role("holder", &holder);

TEST(RocksKeyValue, IsOpenInOneProcessOnce) {
  const TestFolder folder;
  {
    TestChild child("holder", {folder.at("db")});
    ASSERT_EQ(child.line(), "open");
    const auto second = RocksKeyValue::open(folder.at("db"));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::in_use);
    EXPECT_NE(second.error().what.find(std::to_string(child.pid())), std::string::npos);
  }
  const Store store = opened(folder.at("db"));
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(RocksKeyValue::open(folder.at("db")).error().code, Code::in_use);
  // The refused ones have not taken the lock with them.
  TestChild child("holder", {folder.at("db")});
  EXPECT_NE(child.line().find("E806"), std::string::npos);
}

/// FOLDER SEED: a disk of 24 MiB there runs full under a store and is given room again.
int full_disk(const TestArguments& arguments) {
  const std::string& disk = arguments[0];
  if (!test_own_mounts()) {
    return 0;
  }
  ROLE_CHECK(::mount("none", disk.c_str(), "tmpfs", 0, "size=24m,mode=0700") == 0);
  const Descriptor ballast(::open((disk + "/ballast").c_str(), O_WRONLY | O_CREAT, 0600));
  ROLE_CHECK(write_all(ballast.number(), Bytes(size_t{16} << 20), disk).ok());
  RocksOptions options;
  options.buffer_bytes_max = size_t{1} << 20;
  auto store = RocksKeyValue::open(disk + "/db", options);
  ROLE_CHECK(store.ok());
  TestRandom random(std::stoull(arguments[1]));
  const size_t size = random.of<size_t>({1'000, 30'000, 100'000, 700'000});
  const auto batch = [size](int number) {
    const std::string key = std::to_string(number);
    return std::vector<Change>{{"small/" + key, Bytes{1}},
                               {"large/" + key, value_of(static_cast<uint64_t>(number), size)}};
  };
  int count = 0;
  Result<void> applied;
  while ((applied = (*store)->apply(batch(count))).ok()) {
    ++count;
    ROLE_CHECK(count < 20'000);
    if (random.chance(4)) {
      ROLE_CHECK((*store)->sync().ok());
    }
  }
  ROLE_CHECK(applied.error().code == Code::disk_full);
  ROLE_CHECK(!applied.error().next.empty());
  ROLE_CHECK(count > 3);
  const auto all_there = [&] {
    for (int i = 0; i < count; ++i) {
      const auto value = (*store)->get("large/" + std::to_string(i));
      if (!value.ok() || *value != batch(i)[1].value) {
        return false;
      }
    }
    return (*store)->keys("small/", "", 20'000)->size() == static_cast<size_t>(count);
  };
  // Merging files in the background may have made room meanwhile: then it is taken.
  const auto is_full = [&] {
    for (int i = 0; i < 20'000; ++i) {
      applied = (*store)->apply(batch(count));
      if (!applied.ok()) {
        return applied.error().code == Code::disk_full;
      }
      ++count;
    }
    return false;
  };
  for (int i = 0; i < 3; ++i) {
    ROLE_CHECK(is_full());
    ROLE_CHECK((*store)->sync().ok());  // what was applied needs no room
    ROLE_CHECK(all_there());
  }
  // Full as it is, it can be closed and opened, or says that it is full.
  store->reset();
  store = RocksKeyValue::open(disk + "/db", options);
  ROLE_CHECK(store.ok() || store.error().code == Code::disk_full);
  if (store.ok()) {
    ROLE_CHECK(all_there());
    ROLE_CHECK(is_full());
    ROLE_CHECK(all_there());
    test_say("reopened");
  }
  ROLE_CHECK(::ftruncate(ballast.number(), 0) == 0);
  if (!store.ok()) {
    store = RocksKeyValue::open(disk + "/db", options);
    ROLE_CHECK(store.ok());
  }
  for (int i = 0; i < 5; ++i) {
    const auto again = (*store)->apply(batch(count));
    test_say(again.ok() ? "applied" : again.error().message());
    ROLE_CHECK(again.ok());
    ++count;
    ROLE_CHECK((*store)->sync().ok());
  }
  ROLE_CHECK(all_there());
  store->reset();
  store = RocksKeyValue::open(disk + "/db", options);
  test_say(store.ok() ? "open" : store.error().message());
  ROLE_CHECK(store.ok());
  ROLE_CHECK(all_there());
  return 0;
}
const bool full_disk_known = add_test_role("full_disk", &full_disk);

/// What a role said, one line each; its last lines tell what went wrong.
std::string run_role(const std::string& role, const TestArguments& arguments, int& status) {
  TestChild child(role, arguments);
  std::string all;
  for (std::string line = child.line(); !line.empty(); line = child.line()) {
    all += line + "\n";
  }
  status = child.wait();
  return all;
}

TEST(RocksKeyValue, GoesOnWhenAFullDiskHasRoomAgain) {
  const TestFolder folder;
  for (uint64_t seed = 0; seed < 5 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    int status = 0;
    const std::string said = run_role("full_disk", {folder.path(), std::to_string(seed)}, status);
    if (said.starts_with("skipped: ")) {
      GTEST_SKIP() << said;
    }
    EXPECT_EQ(status, 0) << said;
  }
}

/// FOLDER: a disk there becomes read-only under a store and writable again.
int read_only_disk(const TestArguments& arguments) {
  const std::string& disk = arguments[0];
  if (!test_own_mounts()) {
    return 0;
  }
  ROLE_CHECK(::mount("none", disk.c_str(), "tmpfs", 0, "size=12m,mode=0700") == 0);
  auto store = RocksKeyValue::open(disk + "/db");
  ROLE_CHECK(store.ok());
  ROLE_CHECK((*store)->apply({{"a", Bytes{1}}}).ok());
  ROLE_CHECK((*store)->sync().ok());
  store->reset();
  ROLE_CHECK(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=12m") == 0);
  for (const char* name : {"/db", "/new"}) {
    const auto refused = RocksKeyValue::open(disk + name);
    ROLE_CHECK(!refused.ok());
    test_say(refused.error().message());
    ROLE_CHECK(refused.error().code == Code::io_failed);
    ROLE_CHECK(refused.error().what.find("Read-only") != std::string::npos);
    ROLE_CHECK(!refused.error().next.empty() && !refused.error().where.empty());
  }
  ROLE_CHECK(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, "size=12m") == 0);
  store = RocksKeyValue::open(disk + "/db");
  ROLE_CHECK(store.ok());
  ROLE_CHECK((*(*store)->get("a")) == Bytes{1});
  return 0;
}
const bool read_only_disk_known = add_test_role("read_only_disk", &read_only_disk);

TEST(RocksKeyValue, SaysThatAFolderIsReadOnly) {
  const TestFolder folder;
  int status = 0;
  const std::string said = run_role("read_only_disk", {folder.path()}, status);
  if (said.starts_with("skipped: ")) {
    GTEST_SKIP() << said;
  }
  EXPECT_EQ(status, 0) << said;
}

std::string log_of(const std::string& folder) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (path.ends_with(".log") && entry.file_size() > 0) {
      newest = std::max(newest, path);
    }
  }
  return newest;
}

/// Ten batches, the first `synced` of them acknowledged.
void write_ten(const std::string& folder, int synced) {
  const Store store = opened(folder);
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(
        store->apply({{"k/" + std::to_string(i), Bytes(100, static_cast<uint8_t>(i))}}).ok());
    if (i + 1 == synced) {
      ASSERT_TRUE(store->sync().ok());
    }
  }
}

TEST(RocksKeyValue, ATornLogLosesOnlyWhatWasNotAcknowledged) {
  for (const size_t cut : std::initializer_list<size_t>{1, 50, 130, 300}) {
    SCOPED_TRACE(cut);
    const TestFolder folder;
    write_ten(folder.at("db"), 5);
    const std::string log = log_of(folder.at("db"));
    const std::string text = test_text(log);
    test_write(log, text.substr(0, text.size() - cut));
    Store store = opened(folder.at("db"));
    ASSERT_NE(store, nullptr);
    const size_t count = store->keys("k/", "", 100)->size();
    EXPECT_GE(count, 5U);
    EXPECT_LT(count, 10U);
    ASSERT_TRUE(store->apply({{"k/x", Bytes{1}}}).ok());
    ASSERT_TRUE(store->sync().ok());
    store.reset();
    store = opened(folder.at("db"));
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->keys("k/", "", 100)->size(), count + 1);
  }
}

TEST(RocksKeyValue, SaysThatALogLostWhatWasAcknowledged) {
  for (const bool flip : {false, true}) {
    SCOPED_TRACE(flip);
    const TestFolder folder;
    write_ten(folder.at("db"), 10);
    const std::string log = log_of(folder.at("db"));
    std::string text = test_text(log);
    if (flip) {
      text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 4);
    } else {
      text.resize(text.size() - 1);
    }
    test_write(log, text);
    for (int i = 0; i < 2; ++i) {  // and goes on saying so
      const auto refused = RocksKeyValue::open(folder.at("db"));
      ASSERT_FALSE(refused.ok());
      EXPECT_EQ(refused.error().code, Code::io_failed);
      EXPECT_FALSE(refused.error().next.empty());
    }
  }
}

TEST(RocksKeyValue, SaysThatAFileIsDamaged) {
  const TestFolder folder;
  write_ten(folder.at("db"), 10);
  {
    const Store store = opened(folder.at("db"));
    ASSERT_NE(store, nullptr);
    ASSERT_TRUE(store->apply({{"blob/1", value_of(1, 100'000)}}).ok());
    ASSERT_TRUE(store->compact().ok());
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.at("db"))) {
    const std::string path = entry.path().string();
    if (path.ends_with(".sst") || path.ends_with(".blob")) {
      std::string text = test_text(path);
      const size_t at = path.ends_with(".blob") ? text.size() / 2 : 20;
      text[at] = static_cast<char>(text[at] ^ 1);
      test_write(path, text);
    }
  }
  const auto store = RocksKeyValue::open(folder.at("db"));
  ASSERT_TRUE(store.ok()) << store.error().message();
  for (const char* key : {"k/1", "blob/1"}) {
    const auto value = (*store)->get(key);
    ASSERT_FALSE(value.ok()) << key;
    EXPECT_EQ(value.error().code, Code::io_failed);
    EXPECT_NE(value.error().what.find("damaged"), std::string::npos) << value.error().what;
  }
}

TEST(RocksKeyValue, NeedsAFolderAbove) {
  const TestFolder folder;
  EXPECT_EQ(RocksKeyValue::open(folder.at("no/db")).error().code, Code::io_failed);
  test_write(folder.at("file"), "");
  EXPECT_EQ(RocksKeyValue::open(folder.at("file")).error().code, Code::io_failed);
}

}  // namespace
}  // namespace lockstep::platform
