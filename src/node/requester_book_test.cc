// What a requester reads again after a crash, also from a store that has lost a part.
#include "node/requester_book.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep::node {
namespace {

/// Refuses to give some of its values, as a store does whose checksums do not fit, until they are
/// written again; and any change while it is full.
class Rotten final : public env::KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string& key) override {
    if (rotten.contains(key)) {
      return refuse(Code::io_failed, "the value does not have its checksum");
    }
    return values.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    if (full) {
      return refuse(Code::disk_full, "full");
    }
    for (const Change& change : batch) {
      rotten.erase(change.key);
    }
    return values.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values.keys(prefix, after, count_max);
  }
  std::vector<std::string> all() { return *values.keys("", "", SIZE_MAX); }
  env::MemoryKeyValue values;
  std::set<std::string> rotten;
  bool full = false;
};

model::TaskTag tag(uint32_t round, uint32_t part = 0) {
  return {model::TaskKind::lane, round, part};
}

model::Signed paper(uint8_t number) {
  model::Signed made;
  made.body = Bytes(1, number);
  return made;
}

KeptResult result(uint8_t number) {
  KeptResult made;
  made.entry = {paper(number), paper(number), paper(number)};
  made.accepted_ms = number;
  return made;
}

KeptJob some_job() {
  KeptJob job;
  job.quotes = {paper(1), paper(2)};
  job.price_per_unit = Amount::from_nano(7);
  job.open = paper(3);
  job.failure = KeptFailure{600, "here", "what", "next"};
  return job;
}

/// Two rounds placed; one of them accepted.
void fill(RequesterBook& book) {
  ASSERT_TRUE(book.write_job(some_job()).ok());
  ASSERT_TRUE(book.place(tag(300), paper(30), 5).ok());
  ASSERT_TRUE(book.place(tag(2), paper(20), 6).ok());
  ASSERT_TRUE(book.place(tag(1), paper(9), 7).ok());
  ASSERT_TRUE(book.place(tag(1), paper(10), 8).ok());
  ASSERT_TRUE(book.accept(tag(2), result(20), 9).ok());
}

void expect_filled(const Result<RequesterBook::Kept>& kept) {
  ASSERT_TRUE(kept.ok()) << kept.error().message();
  ASSERT_TRUE(kept->job);
  EXPECT_EQ(codec::encode(*kept->job), codec::encode(some_job()));
  EXPECT_EQ(kept->next_id, 9U);
  EXPECT_EQ(kept->placed, (std::vector<model::Signed>{paper(10), paper(30)}));
  ASSERT_EQ(kept->accepted.size(), 1U);
  EXPECT_EQ(codec::encode(kept->accepted[0]), codec::encode(result(20)));
}

TEST(RequesterBook, KeepsWhatWasWritten) {
  env::MemoryKeyValue values;
  RequesterBook book(values);
  const auto nothing = book.load();
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->job);
  EXPECT_EQ(nothing->next_id, 1U);
  fill(book);
  expect_filled(RequesterBook(values).load());
  const std::vector<model::TaskTag> gone = {tag(2), tag(300), tag(7)};
  ASSERT_TRUE(book.forget(gone).ok());
  const auto left = RequesterBook(values).load();
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE(left->accepted.empty());
  EXPECT_EQ(left->placed, (std::vector<model::Signed>{paper(10)}));
}

TEST(RequesterBook, SurvivesTheLossOfAnyOneValueAndRestoresIt) {
  Rotten first;
  RequesterBook book(first);
  fill(book);
  for (const std::string& key : first.all()) {
    SCOPED_TRACE(key);
    first.rotten = {key};
    expect_filled(RequesterBook(first).load());
    EXPECT_TRUE(first.rotten.empty()) << "it is written again";
    expect_filled(RequesterBook(first).load());
  }
}

TEST(RequesterBook, DoesNotForgetWhatItCannotRead) {
  Rotten values;
  RequesterBook book(values);
  fill(book);
  for (const std::string& key : values.all()) {
    if (!key.starts_with("twin/")) {
      values.rotten = {key, "twin/" + key};
      const auto kept = RequesterBook(values).load();
      ASSERT_FALSE(kept.ok()) << key;
      EXPECT_EQ(kept.error().code, Code::io_failed);
    }
  }
}

TEST(RequesterBook, AFullDiskChangesNothing) {
  Rotten values;
  RequesterBook book(values);
  fill(book);
  values.full = true;
  EXPECT_FALSE(book.write_job({}).ok());
  EXPECT_FALSE(book.place(tag(4), paper(4), 20).ok());
  EXPECT_FALSE(book.accept(tag(1), result(1), 21).ok());
  const std::vector<model::TaskTag> gone = {tag(2)};
  EXPECT_FALSE(book.forget(gone).ok());
  expect_filled(RequesterBook(values).load());
}

}  // namespace
}  // namespace lockstep::node
