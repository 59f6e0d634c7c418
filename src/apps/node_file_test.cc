#include "apps/node_file.h"

#include <gtest/gtest.h>

#include "apps/small_job.h"

namespace lockstep::apps {
namespace {

crypto::SecretKey key_of(uint8_t number) {
  Hash seed;
  seed.bytes[0] = number;
  return crypto::SecretKey::from_seed(seed);
}

model::Genesis some_genesis() {
  model::Genesis genesis;
  genesis.name = "private";
  genesis.sequencer = key_of(1).public_key();
  genesis.balances.push_back({key_of(2).public_key(), Amount::from_nano(5)});
  return genesis;
}

NodeFile some_node() {
  NodeFile file;
  file.name = "provider-1";
  file.role = NodeRole::provider;
  file.genesis = some_genesis();
  file.ledger = {{"127.0.0.1", 4100}, key_of(1).public_key()};
  file.owner = key_of(2).public_key();
  file.listen = env::Address{"::1", 4101};
  file.threads = 2;
  file.cheat = "skip";
  file.machine = node::Machine{"provider-1", *Amount::parse("0.02 LKS"), 7, 8, 9, "cpu", "local"};
  file.slice = model::Slice{3, 4'000'000'000, 5, 1, {{0x1f, 1320, 420, 0}, {0x60, 0, 1440, 30}}};
  file.names[key_of(3).public_key()] = "auditor-1";
  file.dry_run = true;
  return file;
}

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

TEST(NodeFile, ComesBackAsItWasWritten) {
  MemoryFiles files;
  const NodeFile file = some_node();
  ASSERT_TRUE(files.write("node.json", bytes_of(write_node_file(file))).ok());
  const auto read = read_node_file(files, "node.json");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->name, file.name);
  EXPECT_EQ(read->role, file.role);
  EXPECT_EQ(read->genesis, file.genesis);
  EXPECT_EQ(read->ledger.address, file.ledger.address);
  EXPECT_EQ(read->ledger.node, file.ledger.node);
  EXPECT_EQ(read->owner, file.owner);
  EXPECT_EQ(read->listen, file.listen);
  EXPECT_EQ(read->threads, file.threads);
  EXPECT_EQ(read->cheat, file.cheat);
  EXPECT_EQ(read->machine->price_per_unit, file.machine->price_per_unit);
  EXPECT_EQ(read->machine->memory_bytes, file.machine->memory_bytes);
  EXPECT_EQ(read->slice, file.slice);
  EXPECT_EQ(read->names, file.names);
  EXPECT_TRUE(read->dry_run);
}

TEST(NodeFile, AFieldThatIsMissingIsNamed) {
  const auto whole = nlohmann::json::parse(write_node_file(some_node()));
  for (const char* field : {"name", "role", "genesis", "ledger", "owner", "threads"}) {
    auto torn = whole;
    torn.erase(field);
    MemoryFiles files;
    ASSERT_TRUE(files.write("node.json", bytes_of(torn.dump())).ok());
    const auto read = read_node_file(files, "node.json");
    ASSERT_FALSE(read.ok()) << field;
    EXPECT_EQ(read.error().code, Code::bad_folder);
    EXPECT_NE(read.error().what.find(field), std::string::npos) << read.error().message();
    EXPECT_EQ(read.error().where, "node.json");
  }
}

TEST(NodeFile, OtherFilesAreRefused) {
  for (const char* text : {"", "{}", "[]", "{\"format\":\"lockstep-network-1\"}", "\xff\xfe"}) {
    MemoryFiles files;
    ASSERT_TRUE(files.write("node.json", bytes_of(text)).ok());
    EXPECT_FALSE(read_node_file(files, "node.json").ok()) << text;
  }
}

TEST(NetworkFile, ComesBackAsItWasWritten) {
  NetworkFile file;
  file.genesis = some_genesis();
  file.ledger = {{"192.0.2.7", 1}, key_of(1).public_key()};
  file.members.push_back(
      {"auditor-1", NodeRole::auditor, key_of(4).public_key(), key_of(5).public_key()});
  file.demo = DemoPlan{"provider-2", 25};
  MemoryFiles files;
  ASSERT_TRUE(files.write("network.json", bytes_of(write_network_file(file))).ok());
  const auto read = read_network_file(files, "network.json");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->genesis, file.genesis);
  ASSERT_EQ(read->members.size(), 1U);
  EXPECT_EQ(read->members[0].name, "auditor-1");
  EXPECT_EQ(read->members[0].owner, key_of(5).public_key());
  EXPECT_EQ(read->demo->killed, "provider-2");
  EXPECT_EQ(read->demo->round, 25U);
}

TEST(Address, TextAndBack) {
  for (const char* text : {"127.0.0.1:4100", "[::1]:1", "host.example:65535"}) {
    const auto parsed = parse_address(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(text_of(*parsed), text);
  }
  for (const char* text :
       {"", ":", "host", "host:", ":1", "host:65536", "host:1x", "::1:4", "[]:1"}) {
    EXPECT_EQ(parse_address(text).error().code, Code::bad_address) << text;
  }
}

}  // namespace
}  // namespace lockstep::apps
