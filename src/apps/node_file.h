// What a node's process is told: node.json in its own folder, the only one it sees. And the
// network's file, network.json, which only people's commands read.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "env/files.h"
#include "env/network.h"
#include "model/genesis.h"
#include "model/signed.h"
#include "model/slice.h"
#include "node/provider.h"

namespace lockstep::apps {

enum class NodeRole : uint8_t { ledger, requester, provider, auditor };
[[nodiscard]] const char* name_of(NodeRole role);

/// Where the ledger is, and by which key it is known.
struct LedgerPlace {
  env::Address address;
  crypto::PublicKey node;
};

struct NodeFile {
  std::string name;
  NodeRole role = NodeRole::provider;
  model::Genesis genesis;
  LedgerPlace ledger;
  crypto::PublicKey owner;
  std::optional<env::Address> listen;  // ledger and requester
  int threads = 1;                     // of the engine
  std::optional<std::string> cheat;    // of a demonstration: "skip" or "bitflip"
  /// By the owner, to be on the ledger before anything else: registration and stake.
  std::vector<model::Signed> first;
  std::optional<node::Machine> machine;            // providers
  std::optional<model::Slice> slice;               // what of it is lent; none: all, always
  std::map<crypto::PublicKey, std::string> names;  // of nodes and owners, for people
  bool dry_run = false;                            // requester: stop after the offers
};

/// The text of node.json, and back. Errors: bad_folder naming the path.
[[nodiscard]] std::string write_node_file(const NodeFile& file);
[[nodiscard]] Result<NodeFile> read_node_file(env::Files& files, const std::string& path);

/// One of a network's machines on this computer.
struct Member {
  std::string name;  // also of its folder
  NodeRole role = NodeRole::provider;
  crypto::PublicKey node;
  crypto::PublicKey owner;
};
/// A demonstration's misfortunes: who is killed when which round of a job begins.
struct DemoPlan {
  std::string killed;
  uint32_t round = 0;
};
struct NetworkFile {
  model::Genesis genesis;
  LedgerPlace ledger;
  std::vector<Member> members;
  std::optional<DemoPlan> demo;
};
[[nodiscard]] std::string write_network_file(const NetworkFile& file);
[[nodiscard]] Result<NetworkFile> read_network_file(env::Files& files, const std::string& path);

/// "127.0.0.1:4100" or "[::1]:4100". Errors: bad_address.
[[nodiscard]] std::string text_of(const env::Address& address);
[[nodiscard]] Result<env::Address> parse_address(const std::string& text);

}  // namespace lockstep::apps
