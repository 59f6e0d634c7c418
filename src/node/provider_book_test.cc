// What a provider reads again after a crash, also from a store that has lost a part.
#include "node/provider_book.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep::node {
namespace {

/// Refuses to give some of its values, as a store does whose checksums do not fit.
class Rotten final : public env::KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string& key) override {
    if (rotten.contains(key)) {
      return refuse(Code::io_failed, "the value does not have its checksum");
    }
    return values.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    for (const Change& change : batch) {
      written.insert(change.key);
    }
    return values.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values.keys(prefix, after, count_max);
  }
  env::MemoryKeyValue values;
  std::set<std::string> written, rotten;
};

KeptTask kept(uint8_t number) {
  KeptTask task;
  task.assignment.body = Bytes(1, number);
  task.roots = {Hash()};
  return task;
}

std::vector<Bytes> bodies(const std::vector<KeptTask>& tasks) {
  std::vector<Bytes> found;
  found.reserve(tasks.size());
  for (const KeptTask& task : tasks) {
    found.push_back(task.assignment.body);
  }
  return found;
}

TEST(ProviderBook, LosesOnlyWhatCannotBeRead) {
  const auto filled = [](Rotten& store) {
    ProviderBook book(store);
    for (uint8_t number = 1; number <= 3; ++number) {
      ASSERT_TRUE(book.add(kept(number)).ok());
    }
  };
  Rotten names;
  filled(names);
  ASSERT_EQ(names.written.size(), 8u);
  for (const std::string& key : names.written) {
    Rotten store;
    filled(store);
    store.rotten = {key};
    ProviderBook book(store);
    const auto tasks = book.load();
    ASSERT_TRUE(tasks.ok()) << key;
    const bool of_task = key.starts_with("task/") || key.starts_with("order/");
    EXPECT_EQ(tasks->size(), of_task ? 2u : 3u) << key;
    // It goes on: what is added later is read with the rest.
    ASSERT_TRUE(book.add(kept(4)).ok());
    ProviderBook again(store);
    EXPECT_EQ(bodies(*again.load()).back(), Bytes{4});
    EXPECT_EQ(again.load()->size(), of_task ? 3u : 4u) << key;
  }
}

TEST(ProviderBook, RefusesToStartWithoutItsRange) {
  Rotten store;
  ProviderBook book(store);
  ASSERT_TRUE(book.add(kept(1)).ok());
  store.rotten = {"tasks", "tasks/copy"};
  ProviderBook again(store);
  EXPECT_EQ(again.load().error().code, Code::io_failed);
}

}  // namespace
}  // namespace lockstep::node
