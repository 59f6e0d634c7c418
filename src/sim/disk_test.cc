// What is acknowledged survives a crash; what is not is there whole or not at all.
#include "sim/disk.h"

#include <gtest/gtest.h>

namespace lockstep::sim {
namespace {

Bytes bytes_of(uint64_t n) {
  Bytes bytes(n % 50 + 1);
  std::fill(bytes.begin(), bytes.end(), static_cast<uint8_t>(n));
  return bytes;
}

TEST(Disk, KeepsWhatItAcknowledgedThroughTornWrites) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    Disk disk;
    std::map<std::string, Bytes> model;
    for (int crash = 0; crash < 4; ++crash) {
      const uint64_t writes = random.between(0, 6);
      for (uint64_t i = 0; i < writes; ++i) {
        const std::string key = "k" + std::to_string(random.between(0, 4));
        if (random.chance(200'000)) {
          ASSERT_TRUE(disk.apply({{key, std::nullopt}}).ok());
          model.erase(key);
        } else {
          const Bytes value = bytes_of(random.next());
          ASSERT_TRUE(disk.apply({{key, value}, {"last", value}}).ok());
          model[key] = value;
          model["last"] = value;
        }
      }
      disk.arm(Random(random.next()));
      ASSERT_FALSE(disk.apply({{"torn", Bytes(20, 1)}, {"torn2", Bytes(30, 2)}}).ok());
      EXPECT_TRUE(disk.is_down());
      EXPECT_FALSE(disk.get("last").ok());
      EXPECT_FALSE(disk.apply({{"x", Bytes{1}}}).ok());
      disk.restart();
      for (const auto& [key, value] : model) {
        ASSERT_TRUE(disk.get(key)->has_value()) << key;
        EXPECT_EQ(**disk.get(key), value);
      }
      const bool first = disk.get("torn")->has_value();
      EXPECT_EQ(first, disk.get("torn2")->has_value()) << "all of a batch or nothing";
      ASSERT_TRUE(disk.apply({{"torn", std::nullopt}, {"torn2", std::nullopt}}).ok());
    }
  }
}

TEST(Random, IsTheSameForTheSameSeedAndSpreads) {
  Random a(1);
  Random b(1);
  Random c(2);
  int different = 0;
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    different += value != c.next() ? 1 : 0;
    const uint64_t between = Random(value).between(5, 9);
    EXPECT_GE(between, 5u);
    EXPECT_LE(between, 9u);
    hits += Random(value).chance(100'000) ? 1 : 0;
  }
  EXPECT_EQ(different, 10'000);
  EXPECT_NEAR(hits, 1000, 150);
}

TEST(Disk, NoticesRotBeforeAndAfterARestart) {
  FaultCounts counts;
  DiskFaults faults(DiskFaults::Owner::provider, counts);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Disk disk(&faults);
    std::map<std::string, Bytes> model;
    for (uint64_t i = 0; i < 5; ++i) {
      model["k" + std::to_string(i)] = bytes_of(seed * 7 + i);
      ASSERT_TRUE(disk.apply({{"k" + std::to_string(i), bytes_of(seed * 7 + i)}}).ok());
    }
    ASSERT_TRUE(disk.rot(Random(seed)));
    for (int life = 0; life < 2; ++life) {
      int noticed = 0;
      for (const auto& [key, value] : model) {
        const auto got = disk.get(key);
        noticed += got.ok() ? 0 : 1;
        EXPECT_TRUE(!got.ok() || **got == value) << "a rotten value was believed";
      }
      EXPECT_EQ(noticed, 1);
      disk.stop();
      disk.restart();
    }
  }
  EXPECT_EQ(counts.of(FaultPoint::disk_rot_noticed), 400u);
}

TEST(Disk, AFullOneChangesNothing) {
  FaultCounts counts;
  DiskFaults faults(DiskFaults::Owner::provider, counts);
  Disk disk(&faults);
  ASSERT_TRUE(disk.apply({{"k", Bytes{1}}}).ok());
  faults.set_full(true);
  EXPECT_EQ(disk.apply({{"k", Bytes{2}}}).error().code, Code::io_failed);
  EXPECT_EQ(**disk.get("k"), Bytes{1});
  faults.set_full(false);
  EXPECT_TRUE(disk.apply({{"k", Bytes{2}}}).ok());
}

TEST(Disk, DiesAtTheWriteItWasToldTo) {
  using model::CrashPoint;
  for (const CrashPoint point :
       {CrashPoint::before_write, CrashPoint::torn_write, CrashPoint::after_write}) {
    FaultCounts counts;
    DiskFaults faults(DiskFaults::Owner::provider, counts);
    Disk disk(&faults);
    faults.arm(point, "receipt", Random(1), 0);
    ASSERT_TRUE(disk.apply({{"voucher", Bytes{1}}}).ok()) << "not the one it waits for";
    EXPECT_FALSE(disk.apply({{"a", Bytes{1}}, {"b", Bytes{2}}}).ok());
    EXPECT_TRUE(disk.is_down());
    disk.restart();
    EXPECT_EQ(disk.get("b")->has_value(), point == CrashPoint::after_write);
    EXPECT_TRUE(disk.get("voucher")->has_value());
  }
}

}  // namespace
}  // namespace lockstep::sim
