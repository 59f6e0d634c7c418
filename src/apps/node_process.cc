#include "apps/node_process.h"

#include "apps/network_folder.h"
#include "apps/requester_process.h"
#include "apps/working_time.h"
#include "base/limits.h"
#include "exec/memory_need.h"
#include "node/auditor.h"
#include "node/sequencer_node.h"
#include "platform/kill_point.h"
#include "platform/memory_limit.h"
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

/// What the process has beside its tasks: the store's caches, connections, and threads' stacks.
uint64_t own_memory(int threads) {
  constexpr uint64_t mebibyte = uint64_t{1} << 20;
  return 512 * mebibyte + 16 * mebibyte * static_cast<uint64_t>(threads);
}

/// Opens and closes a provider by its owner's hours.
class Hours {
 public:
  Hours(NodeMachine& machine, node::Provider& provider, std::vector<model::Hours> when)
      : loop_(&machine.loop()),
        recorder_(machine.recorder()),
        provider_(&provider),
        time_(std::move(when)) {}
  void look() {
    const bool open = time_.may_work_now();
    if (open != provider_->is_open()) {
      set_open(recorder_, platform::Loop::now_ms(), *provider_, open);
      (void)std::fprintf(stderr, open ? "hours: open\n" : "hours: closed\n");
    }
    loop_->call_after(look_ms, [this] { look(); });
  }

 private:
  static constexpr uint64_t look_ms = 15'000;
  platform::Loop* loop_;
  Recorder* recorder_;
  node::Provider* provider_;
  WorkingTime time_;
};

Result<void> run_provider(NodeMachine& machine) {
  const NodeFile& file = machine.file();
  if (!file.machine) {
    return refuse(Code::bad_folder, "a provider needs a machine to offer", {}, node_file_name);
  }
  auto node = TRY(
      node::Provider::create({file.genesis,
                              machine.identity(),
                              *file.machine,
                              node_secret(machine.key(), "salts"),
                              file.slice,
                              [](const law::Program& program, uint32_t steps) -> Result<uint64_t> {
                                return exec::memory_need(program, steps).most();
                              }},
                             machine.blobs(),
                             machine.store()));
  std::optional<Hours> hours;
  if (file.slice) {
    TRY(platform::limit_memory(file.slice->memory_bytes + own_memory(file.threads)));
    hours.emplace(machine, *node, file.slice->when);
    hours->look();
  }
  return machine.run(
      *node, [&]() -> const ledger::State& { return node->ledger().state(); }, quiet());
}

Result<void> run_auditor(NodeMachine& machine) {
  auto node = TRY(node::Auditor::create(
      {machine.file().genesis, machine.identity(), node_secret(machine.key(), "salts")},
      machine.blobs(),
      &machine.store()));
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
  const auto level = level_named(options.log_level);
  if (!level) {
    return refuse(Code::bad_option,
                  "there is no such level of logs",
                  "use debug, info, warn or error",
                  "--log-level");
  }
  if (options.record) {
    TRY(Recorder::switch_on(options.folder));
  }
  const auto machine = TRY(NodeMachine::open(options.folder, {options.metrics, *level}));
  return run_role(*machine);
}

}  // namespace

Exit run_node(const NodeOptions& options) {
  const Report report(false);
  const auto done = run_all(options);
  return done.ok() ? Exit::ok : report.fail(done.error());
}

}  // namespace lockstep::apps
