#include "apps/node_process.h"

#include "apps/network_folder.h"
#include "apps/requester_process.h"
#include "base/limits.h"
#include "node/auditor.h"
#include "node/sequencer_node.h"
#include "platform/kill_point.h"
#include "platform/view.h"

namespace lockstep::apps {
namespace {

HostCallbacks quiet() {
  HostCallbacks callbacks;
  callbacks.on_tell = [](uint64_t, const node::Notice&) {};
  callbacks.on_ask = [](const model::Transaction&) {};
  callbacks.on_store = [](const std::optional<Error>& error) {
    (void)std::fprintf(stderr, "store: %s\n", error ? error->message().c_str() : "works again");
  };
  return callbacks;
}

Result<void> run_ledger(NodeMachine& machine) {
  auto sequencer = TRY(chain::Sequencer::create(machine.file().genesis,
                                                machine.key(),
                                                node_secret(machine.key(), "preimages"),
                                                machine.store()));
  node::SequencerNode node(std::move(sequencer));
  return machine.run(
      node, [&]() -> const ledger::State& { return node.sequencer().ledger().state(); }, quiet());
}

Result<void> run_provider(NodeMachine& machine) {
  const NodeFile& file = machine.file();
  if (!file.machine) {
    return refuse(Code::bad_folder, "a provider needs a machine to offer", {}, node_file_name);
  }
  auto node = TRY(node::Provider::create(
      {file.genesis, machine.identity(), *file.machine, node_secret(machine.key(), "salts")},
      machine.blobs(),
      machine.store()));
  return machine.run(
      *node, [&]() -> const ledger::State& { return node->ledger().state(); }, quiet());
}

Result<void> run_auditor(NodeMachine& machine) {
  auto node = TRY(node::Auditor::create(
      {machine.file().genesis, machine.identity(), node_secret(machine.key(), "salts")},
      machine.blobs()));
  return machine.run(
      *node, [&]() -> const ledger::State& { return node->ledger().state(); }, quiet());
}

Result<void> run_role(NodeMachine& machine) {
  switch (machine.file().role) {
    case NodeRole::ledger:
      return run_ledger(machine);
    case NodeRole::provider:
      return run_provider(machine);
    case NodeRole::auditor:
      return run_auditor(machine);
    case NodeRole::requester:
      return run_requester(machine);
  }
  return refuse(Code::internal, "an unknown role");
}

Result<void> run_all(const NodeOptions& options) {
  TRY(platform::harden_process());
  if (!options.kill_at.empty()) {
    TRY(platform::KillPoints::arm(options.kill_at));
  }
  if (!options.kill_trace.empty()) {
    TRY(platform::KillPoints::trace(options.kill_trace));
  }
  const auto machine = TRY(NodeMachine::open(options.folder));
  return run_role(*machine);
}

}  // namespace

Exit run_node(const NodeOptions& options) {
  const Report report(false);
  const auto done = run_all(options);
  return done.ok() ? Exit::ok : report.fail(done.error());
}

}  // namespace lockstep::apps
