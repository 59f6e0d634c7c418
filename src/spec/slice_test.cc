// Slices from flags and files: what is read, what is refused and why, and the way back.
#include "spec/slice.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::spec {
namespace {

using model::MachineSize;
using model::Slice;

constexpr MachineSize machine{8, 16'000'000'000, 500'000'000'000, 2};

Result<Slice> with(SliceFlags flags) {
  return parse_slice_flags(flags, machine);
}
SliceFlags memory(const char* text) {
  SliceFlags flags;
  flags.memory = text;
  return flags;
}
SliceFlags cpus(const char* text) {
  SliceFlags flags;
  flags.cpus = text;
  return flags;
}
SliceFlags gpu(const char* text) {
  SliceFlags flags;
  flags.gpu = text;
  return flags;
}
uint64_t memory_of(const char* text) {
  const auto slice = with(memory(text));
  EXPECT_TRUE(slice.ok()) << text << ": " << (slice.ok() ? "" : slice.error().message());
  return slice.ok() ? slice->memory_bytes : 0;
}

TEST(Slice, ReadsSizes) {
  EXPECT_EQ(memory_of("4GB"), 4'000'000'000U);
  EXPECT_EQ(memory_of("4 GB"), 4'000'000'000U);
  EXPECT_EQ(memory_of("1.5GiB"), 1'610'612'736U);
  EXPECT_EQ(memory_of("0.5kB"), 500U);
  EXPECT_EQ(memory_of("512MiB"), 536'870'912U);
  EXPECT_EQ(memory_of("3KiB"), 3072U);
  EXPECT_EQ(memory_of("250MB"), 250'000'000U);
  EXPECT_EQ(memory_of("7B"), 7U);
  EXPECT_EQ(memory_of("0.001TB"), 1'000'000'000U);
  EXPECT_EQ(memory_of("50%"), 8'000'000'000U);
  EXPECT_EQ(memory_of("100%"), 16'000'000'000U);
  EXPECT_EQ(memory_of("12.5 %"), 2'000'000'000U);
}

TEST(Slice, ReadsCounts) {
  EXPECT_EQ(with(cpus("1"))->cpus, 1U);
  EXPECT_EQ(with(cpus("8"))->cpus, 8U);
  EXPECT_EQ(with(cpus("50%"))->cpus, 4U);
  EXPECT_EQ(with(cpus("30%"))->cpus, 2U);  // never more than was allowed
  EXPECT_EQ(with(gpu("none"))->gpus, 0U);
  EXPECT_EQ(with(gpu("2"))->gpus, 2U);
}

TEST(Slice, HasModestDefaults) {
  const auto slice = with({});
  ASSERT_TRUE(slice.ok());
  EXPECT_EQ(slice->cpus, 4U);
  EXPECT_EQ(slice->memory_bytes, 8'000'000'000U);
  EXPECT_EQ(slice->disk_bytes, 10'000'000'000U);
  EXPECT_EQ(slice->gpus, 0U);
  EXPECT_EQ(slice->when, std::vector<model::Hours>{model::Hours{}});
  const auto small = parse_slice_flags({}, {1, 1000, 1000, 0});
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(small->cpus, 1U);
  EXPECT_EQ(small->disk_bytes, 500U);
}

void expect_refused(const SliceFlags& flags, Code code, const std::string& where) {
  const auto slice = with(flags);
  const std::string text = flags.cpus.value_or("") + flags.memory.value_or("") +
                           flags.gpu.value_or("") + flags.disk.value_or("");
  ASSERT_FALSE(slice.ok()) << text;
  EXPECT_EQ(slice.error().code, code) << text << ": " << slice.error().message();
  EXPECT_EQ(slice.error().where, where);
  EXPECT_FALSE(slice.error().next.empty());
}

TEST(Slice, RefusesWhatIsNoSize) {
  for (const char* text : {"",
                           "4",
                           "GB",
                           "-4GB",
                           "+4GB",
                           "4gb",
                           "4G",
                           "4GBs",
                           "04GB",
                           "4.GB",
                           ".5GB",
                           "0.5B",
                           "1.0000001GB",
                           "1e9B",
                           "4  GB",
                           " 4GB",
                           "4GB ",
                           "4,5GB",
                           "0x10MB",
                           "1.5",
                           "0.000001TiB",
                           "99999999999999999999999GB",
                           "nan%",
                           "-5%",
                           "%"}) {
    expect_refused(memory(text), Code::wrong_type, "--memory");
    SliceFlags disk;
    disk.disk = text;
    expect_refused(disk, Code::wrong_type, "--disk");
  }
  for (const char* text : {"0B",
                           "0GB",
                           "0%",
                           "17GB",
                           "16000000001B",
                           "101%",
                           "100.1%",
                           "15TB",
                           "18446744073709551615TiB"}) {
    expect_refused(memory(text), Code::out_of_range, "--memory");
  }
}

TEST(Slice, RefusesWhatIsNoCount) {
  for (const char* text : {"", "-1", "1.5", "two", "1 ", " 1", "01", "4GB", "all"}) {
    expect_refused(cpus(text), Code::wrong_type, "--cpus");
    expect_refused(gpu(text), Code::wrong_type, "--gpu");
  }
  for (const char* text : {"0", "9", "1%", "200%"}) {
    expect_refused(cpus(text), Code::out_of_range, "--cpus");
  }
  expect_refused(gpu("3"), Code::out_of_range, "--gpu");
  expect_refused(gpu("0"), Code::out_of_range, "--gpu");
  expect_refused(gpu("50%"), Code::wrong_type, "--gpu");
}

TEST(Slice, SaysWhatIsAllowed) {
  const auto slice = with(memory("17GB"));
  ASSERT_FALSE(slice.ok());
  EXPECT_EQ(slice.error().message().find("--memory: "), 0U) << slice.error().message();
  EXPECT_NE(slice.error().what.find("this machine has 16GB of memory"), std::string::npos);
}

TEST(Slice, FilesGoToTextAndBack) {
  TestRandom random(21);
  for (uint64_t i = 0; i < 2000 * soak_times(); ++i) {
    const MachineSize large{1000, uint64_t{1} << 60, uint64_t{1} << 60, 16};
    Slice slice;
    slice.cpus = static_cast<uint32_t>(random.in(1, 1000));
    const auto some_size = [&] {
      const uint64_t unit = random.of<uint64_t>({1, 1000, 1'000'000, 1 << 10, 1 << 20, 1 << 30});
      return unit * static_cast<uint64_t>(random.in(1, 1'000'000'000));
    };
    slice.memory_bytes = some_size();
    slice.disk_bytes = some_size();
    slice.gpus = static_cast<uint32_t>(random.in(0, 16));
    slice.when.push_back({static_cast<uint8_t>(random.in(1, 0x7f)),
                          static_cast<uint16_t>(random.in(0, 700)),
                          static_cast<uint16_t>(random.in(701, 1440)),
                          random.of<uint16_t>({0, 10, 20})});
    const std::string text = slice_file(slice);
    const auto again = parse_slice_file(text, "slice.yaml", large);
    ASSERT_TRUE(again.ok()) << text << again.error().message();
    ASSERT_EQ(*again, slice) << text;
    const auto decoded = codec::decode<Slice>(codec::encode(slice));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, slice);
  }
}

TEST(Slice, SizesAreShortAndExact) {
  EXPECT_EQ(size_text(0), "0B");
  EXPECT_EQ(size_text(4'000'000'000), "4GB");
  EXPECT_EQ(size_text(uint64_t{1} << 32), "4GiB");
  EXPECT_EQ(size_text(10'000'000'000), "10GB");
  EXPECT_EQ(size_text(1001), "1001B");
  EXPECT_EQ(size_text(1500), "1500B");
}

TEST(Slice, FilesOfPeopleAreCheckedToo) {
  const auto read = [](const char* text) { return parse_slice_file(text, "s.yaml", machine); };
  const auto good = read("cpus: 25%\nmemory: 2 GiB\ndisk: 1TB\ngpu: 1\nwhen: idle, 22:00-06:00\n");
  ASSERT_FALSE(good.ok());  // the disk is too small
  EXPECT_EQ(good.error().where, "s.yaml:3:7");
  EXPECT_EQ(good.error().code, Code::out_of_range);
  const auto fine = read("cpus: 25%\nmemory: 2 GiB\ndisk: 50GB\ngpu: 1\nwhen: idle, 22:00-06:00\n");
  ASSERT_TRUE(fine.ok()) << fine.error().message();
  EXPECT_EQ(fine->cpus, 2U);
  EXPECT_EQ(fine->when.size(), 2U);
  EXPECT_EQ(read("").error().code, Code::missing_key);
  EXPECT_EQ(read("cpus: 1\n").error().code, Code::missing_key);
  EXPECT_EQ(read("cpu: 1\n").error().code, Code::unknown_key);
  EXPECT_EQ(read("cpus: [1]\n").error().code, Code::wrong_type);
  EXPECT_EQ(read("cpus: {a: 1}\n").error().code, Code::wrong_type);
  EXPECT_EQ(read("cpus: 1\ncpus: 2\n").error().code, Code::duplicate_key);
  EXPECT_EQ(read("[1, 2]").error().code, Code::wrong_type);
}

TEST(Slice, ReadsPrices) {
  EXPECT_FALSE(parse_price_flags({})->fixed);
  PriceFlags flags;
  flags.price = "auto";
  flags.power_watts = "65";
  flags.power_cost = "0.25 LKS";
  const auto wish = parse_price_flags(flags);
  ASSERT_TRUE(wish.ok()) << wish.error().message();
  EXPECT_FALSE(wish->fixed);
  EXPECT_EQ(wish->power_watts, 65U);
  EXPECT_EQ(wish->power_cost, Amount::from_nano(250'000'000));
  flags.price = "0.002 LKS";
  EXPECT_EQ(parse_price_flags(flags)->fixed, Amount::from_nano(2'000'000));
}

TEST(Slice, RefusesPrices) {
  const auto refused = [](PriceFlags flags) {
    const auto wish = parse_price_flags(flags);
    EXPECT_FALSE(wish.ok());
    return wish.ok() ? std::string() : wish.error().where;
  };
  for (const char* text : {"", "0.5", "free", "-1 LKS", "0 LKS", "1 EUR"}) {
    EXPECT_EQ(refused({text, {}, {}}), "--price") << text;
  }
  EXPECT_EQ(refused({{}, "65", {}}), "--power-cost");
  EXPECT_EQ(refused({{}, {}, "0.25 LKS"}), "--power-watts");
  for (const char* text : {"", "0", "-5", "65W", "6.5", "100001"}) {
    EXPECT_EQ(refused({{}, text, "0.25 LKS"}), "--power-watts") << text;
  }
  for (const char* text : {"", "0.25", "-1 LKS"}) {
    EXPECT_EQ(refused({{}, "65", text}), "--power-cost") << text;
  }
}

}  // namespace
}  // namespace lockstep::spec
