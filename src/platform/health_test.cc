// That the facts about this machine are facts.
#include "platform/health.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>

namespace lockstep::platform {
namespace {

namespace fs = std::filesystem;

TEST(Health, KnowsProcessorMemoryClockAndLimits) {
  const Health health = find_health({});
  EXPECT_FALSE(health.processor.empty());
  EXPECT_GE(health.cpus, 1U);
  EXPECT_GT(health.memory_bytes, uint64_t{64} << 20);
  EXPECT_GT(health.memory_available_bytes, 0U);
  EXPECT_LE(health.memory_available_bytes, health.memory_bytes);
  EXPECT_GE(health.year, 2024);
  EXPECT_GT(health.open_files_soft, 0U);
  EXPECT_GE(health.open_files_hard, health.open_files_soft);
  EXPECT_FALSE(health.dataset) << "none was asked for";
  EXPECT_TRUE(health.folders.empty());
  EXPECT_TRUE(health.ports.empty());
}

TEST(Health, KnowsFolders) {
  const std::string root = ::testing::TempDir() + "health_" + std::to_string(::getpid());
  fs::create_directories(root + "/open");
  fs::permissions(root + "/open", fs::perms(0755));
  std::ofstream(root + "/file") << "x";
  const Health health =
      find_health({{root + "/open", root + "/a/b/c", root + "/file", root + "/file/x", "no/such"},
                   {},
                   root + "/file"});
  ASSERT_EQ(health.folders.size(), 5U);
  const FolderHealth& open = health.folders[0];
  EXPECT_TRUE(open.exists && open.is_folder && open.ours && open.writable);
  EXPECT_EQ(open.mode, 0755U);
  EXPECT_EQ(open.nearest, root + "/open");
  EXPECT_GT(open.free_bytes, 0U);
  const FolderHealth& missing = health.folders[1];
  EXPECT_FALSE(missing.exists);
  EXPECT_TRUE(missing.writable);
  EXPECT_EQ(missing.nearest, root);
  EXPECT_GT(missing.free_bytes, 0U);
  EXPECT_TRUE(health.folders[2].exists);
  EXPECT_FALSE(health.folders[2].is_folder);
  EXPECT_FALSE(health.folders[3].writable) << "below a file";
  EXPECT_EQ(health.folders[4].nearest, ".");
  EXPECT_TRUE(health.dataset);
  EXPECT_FALSE(fs::exists(root + "/a")) << "nothing is made";
  fs::remove_all(root);
}

TEST(Health, KnowsWhichPortsAreTaken) {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  tcp::acceptor taken(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const uint16_t port = taken.local_endpoint().port();
  const Health before = find_health({{}, {port}, {}});
  ASSERT_EQ(before.ports.size(), 1U);
  EXPECT_EQ(before.ports[0].port, port);
  EXPECT_FALSE(before.ports[0].free);
  taken.close();
  EXPECT_TRUE(find_health({{}, {port}, {}}).ports[0].free);
}

}  // namespace
}  // namespace lockstep::platform
