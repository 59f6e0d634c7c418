// A whole network in one process under virtual time: the nodes that the program runs, a simulated
// network, disks and machines, and the faults and liars that were asked for.
#pragma once

#include <deque>
#include <queue>

#include "env/clock.h"
#include "exec/tensor_runner.h"
#include "node/auditor.h"
#include "node/provider.h"
#include "node/requester.h"
#include "node/sequencer_node.h"
#include "sim/cheat.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "sim/roles.h"

namespace lockstep::sim {

/// Of provider number `provider` (from 1).
struct CheatSpec {
  uint32_t provider = 1;
  CheatKind kind = CheatKind::skip;
};
/// The machine dies when round `round` (from 1) begins, inside its next write to disk where there
/// is one; it comes back after restart_ms, or never.
struct CrashSpec {
  uint32_t provider = 1;
  uint32_t round = 1;
  std::optional<uint64_t> restart_ms;
};
struct Options {
  uint64_t seed = 1;  // draws and network; never the model
  uint32_t providers = 3;
  uint32_t auditors = 1;
  std::vector<CheatSpec> cheats;
  std::vector<RoleSpec> roles;
  std::vector<CrashSpec> crashes;
  NetworkFaults network;
  model::Faults faults;                  // within the model (sim/fault_model.h)
  std::vector<model::CrashFault> kills;  // beside them, wherever they strike
  uint64_t memory_bytes = 0;             // that the job's largest task needs
  uint64_t time_limit_ms = 21'600'000;   // virtual
  std::optional<Amount> bond_min;        // another least bond than the genesis'
};
inline constexpr uint32_t providers_max = 64;
inline constexpr uint32_t auditors_max = 16;

/// The built-in machines: `count` that can do ordinary work, and one with 64 MB of memory.
[[nodiscard]] std::vector<node::Machine> world_table(uint32_t count);

class Observer {
 public:
  virtual ~Observer() = default;
  /// What the requester's node told, in order.
  virtual void on_notice(uint64_t now_ms, const node::Notice& notice) = 0;
  /// A machine is about to run a task, for whatever reason.
  virtual void on_run(const std::string& /*machine*/, const node::RunTask& /*work*/) {}
  /// A machine of the world went down or came up.
  virtual void on_machine(uint64_t now_ms, const std::string& name, bool up) = 0;
  /// The ledger has a new block; `after` is its state with it.
  virtual void on_block(uint64_t /*now_ms*/,
                        const model::Block& /*block*/,
                        const ledger::State& /*after*/) {}
  /// Whether the run may end here.
  [[nodiscard]] virtual bool has_seen_enough() const { return false; }
};

class World {
 public:
  /// Borrows the job, the requester's store (which holds the job's inputs, and lies on its
  /// simulated disk from here on), the engine's clock and the observer. Errors: bad_option; those
  /// of Requester::create.
  static Result<std::unique_ptr<World>> create(const Options& options,
                                               const model::Job& job,
                                               store::Blobs& requester_blobs,
                                               env::Clock& engine_clock,
                                               const tensor::Options& engine);
  /// Until the job is settled; where faults were asked for, a little longer, so that everybody
  /// learns of it and whoever is down comes back. Errors: the job's own (no_offer, over_budget, …);
  /// internal when nothing is left to happen or the time limit is over.
  Result<void> run(Observer& observer);
  ~World();

  [[nodiscard]] const model::Genesis& genesis() const { return genesis_; }
  /// Not while it is down.
  [[nodiscard]] const node::Requester& requester() const { return *requester_; }
  /// Not while it is down.
  [[nodiscard]] chain::Sequencer& sequencer() { return sequencer_->sequencer(); }
  /// The ledger's; while its machine is down, as it was.
  [[nodiscard]] const ledger::State& ledger_state() const {
    return sequencer_ == nullptr ? kept_state_ : sequencer_->sequencer().ledger().state();
  }
  /// A node's name by its key, "" when unknown; and an owner's.
  [[nodiscard]] std::string name_of(const crypto::PublicKey& key) const;
  [[nodiscard]] exec::Meter meter() const;
  [[nodiscard]] uint64_t now_ms() const { return now_us_ / 1000; }
  [[nodiscard]] const FaultCounts& fault_counts() const { return counts_; }
  /// When the job was settled.
  [[nodiscard]] const std::optional<uint64_t>& settled_ms() const { return settled_ms_; }

 private:
  struct Machine;
  struct Event {
    uint64_t at_us = 0;
    uint64_t order = 0;
    size_t machine = 0;
    uint32_t life = 0;  // of the machine: what was for an earlier one is dropped
    std::variant<std::pair<crypto::PublicKey, net::Message>,
                 node::SetTimer,
                 node::RunTask,
                 model::Signed>
        what;
    bool operator<(const Event& other) const {  // the queue's top is the earliest
      return std::pair(at_us, order) > std::pair(other.at_us, other.order);
    }
  };
  World(const Options& options, const model::Job& job);
  Result<void> build(store::Blobs& requester_blobs,
                     env::Clock& engine_clock,
                     const tensor::Options& engine);
  void make_genesis(const std::vector<node::Machine>& table);
  Result<void> build_provider(const node::Machine& table, size_t index);
  Result<void> build_auditor(size_t index);
  Machine& add_machine(const std::string& name,
                       DiskFaults::Owner owner,
                       env::KeyValue* blobs = nullptr);
  [[nodiscard]] static crypto::SecretKey key_of(uint32_t provider);
  Result<std::unique_ptr<node::Node>> make_node(Machine& machine);
  Result<std::unique_ptr<node::Node>> make_requester(Machine& machine);
  void sign_registrations();
  Result<void> register_all();
  Result<void> revive(size_t machine, Observer& observer);
  void at(uint64_t at_us, size_t machine, decltype(Event::what) what);
  void handle(Event event, Observer& observer);
  void take(size_t machine, Observer& observer);
  void send(size_t from, const node::Send& send);
  void start_work(size_t machine, const node::RunTask& work);
  [[nodiscard]] node::WorkDone do_work(Machine& machine, const node::RunTask& work);
  void carry_out(size_t machine, node::Effect& effect, Observer& observer);
  void ask_owner(size_t machine, const model::Transaction& transaction);
  void notice(const node::Notice& notice, Observer& observer);
  void begin_round(uint32_t round, Observer& observer);
  void kill(size_t machine, Observer& observer);
  void tell_blocks(Observer& observer);
  Result<void> step(Observer& observer);
  [[nodiscard]] bool goes_on() const;
  // world_faults.cc
  struct Planned;
  void plan_faults();
  void strike(const Planned& planned, Observer& observer);
  void strike_due(Observer& observer);
  [[nodiscard]] Result<void> check_names() const;
  [[nodiscard]] std::optional<size_t> machine_named(const std::string& name) const;
  /// What its clock says now.
  [[nodiscard]] uint64_t clock_ms(Machine& machine);
  [[nodiscard]] bool is_clock_off(const Machine& machine) const;
  [[nodiscard]] uint64_t timer_us(Machine& machine, uint64_t at_ms);
  void count_crash(const Machine& machine, bool after_send);
  /// The node that speaks for a machine: as it is, or inside its Byzantine role.
  [[nodiscard]] Result<std::unique_ptr<node::Node>> dress(const Machine& machine,
                                                          std::unique_ptr<node::Node> node) const;
  [[nodiscard]] model::Signed owner_signs(const std::string& name,
                                          const model::Transaction& transaction);

  Options options_;
  const model::Job* job_;
  Random random_;
  FaultCounts counts_;
  Network network_;
  model::Genesis genesis_;
  std::vector<std::unique_ptr<Machine>> machines_;  // 0 the sequencer, 1 the requester
  std::map<crypto::PublicKey, size_t> by_key_;
  std::vector<crypto::PublicKey> providers_;
  std::map<std::string, uint64_t> owner_nonces_;
  std::map<Hash, model::Signed> jobs_signed_;  // by owners: the same terms are signed once
  node::Requester* requester_ = nullptr;
  node::SequencerNode* sequencer_ = nullptr;
  ledger::State kept_state_;  // when the ledger's machine went down
  env::Clock* engine_clock_ = nullptr;
  tensor::Options engine_;
  std::priority_queue<Event> queue_;
  uint64_t now_us_ = 0;
  uint64_t order_ = 0;
  uint32_t rounds_begun_ = 0;
  uint64_t height_told_ = 0;
  std::shared_ptr<Conspiracy> conspiracy_ = std::make_shared<Conspiracy>();
  std::vector<std::pair<uint64_t, size_t>> revivals_;   // when (us), machine
  std::vector<std::pair<uint64_t, size_t>> deadlines_;  // armed disks: when to die anyway
  std::vector<Planned> planned_;                        // by time, those still to come
  std::vector<model::Signed> registrations_;
  std::optional<uint64_t> settled_ms_;
  bool over_ = false;
  std::optional<Error> failed_;
};

}  // namespace lockstep::sim
