// The mask of a Byzantine role: the honest node runs inside, and everything that it hears,
// computes, says and submits goes through the hooks below. Not for use outside the module.
#pragma once

#include <deque>

#include "node/ledger_client.h"
#include "sim/random.h"
#include "sim/roles.h"

namespace lockstep::sim {

class Byzantine : public node::Node {
 public:
  Byzantine(const RoleContext& context, std::unique_ptr<node::Node> inner);
  /// Errors: those of the ledger's genesis.
  Result<void> open();

  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, node::WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  void on_providers(uint64_t now_ms, std::span<const crypto::PublicKey> providers) override;

 protected:
  // The hooks. Left as they are the node is honest.
  /// News of the ledger, before the node inside sees them.
  virtual void news(uint64_t /*now*/, const node::LedgerNews& /*news*/) {}
  /// A message that came in; false hides it from the node inside.
  virtual bool hears(uint64_t /*now*/, const crypto::PublicKey& /*from*/, const net::Message&) {
    return true;
  }
  /// A transaction of the node's key: what is submitted in its place, or nothing.
  virtual std::optional<model::Transaction> submits(uint64_t /*now*/, model::Transaction body) {
    return body;
  }
  /// Any other message: what is sent in its place, or nothing.
  virtual std::optional<net::Message> sends(uint64_t /*now*/,
                                            const crypto::PublicKey& /*to*/,
                                            net::Message message) {
    return message;
  }
  /// Work for the machine, changed before it gets there; computes() sees what was asked for.
  virtual void orders(node::RunTask& /*work*/) {}
  /// Work for the machine; false: it is never done.
  virtual bool runs(const node::RunTask& /*work*/) { return true; }
  /// What the machine computed, before the node inside sees it.
  virtual void computes(const node::RunTask& /*work*/, node::WorkDone& /*done*/) {}
  /// With every timer of the node inside.
  virtual void tick(uint64_t /*now*/) {}

  // What a role does with its keys.
  model::TransactionId submit(uint64_t now, const model::Transaction& body) {
    return ledger_->submit(now, body);
  }
  void send(const crypto::PublicKey& to, net::Message message);
  /// Hands bytes to the sequencer, whoever signed them.
  void send_raw(const model::Signed& transaction);
  void ask_owner(model::Transaction body);
  /// From here on the machine is as good as off.
  void die() { dead_ = true; }
  [[nodiscard]] const ledger::State& state() const { return ledger_->state(); }
  [[nodiscard]] const node::LedgerClient& ledger() const { return *ledger_; }
  [[nodiscard]] const crypto::PublicKey& self() const { return ledger_->self(); }
  [[nodiscard]] const RoleContext& context() const { return context_; }
  [[nodiscard]] Conspiracy& conspiracy() const { return *context_.conspiracy; }
  [[nodiscard]] Hash random_hash();

 private:
  void drain(uint64_t now);
  void pass(uint64_t now, node::Effect effect);
  void pass_transaction(uint64_t now, const model::Signed& transaction);

  RoleContext context_;
  std::unique_ptr<node::Node> inner_;
  /// The role's own view, and the owner of the node key's nonces: whatever the node inside submits
  /// goes through it, so that what is dropped or added leaves no gap.
  std::optional<node::LedgerClient> ledger_;
  std::set<model::TransactionId> passed_;  // of the node inside: resends are not for the ledger
  std::map<uint64_t, node::RunTask> works_;
  std::deque<bool> asked_;  // of the owner, in order: by the role (true) or the node inside
  Random random_;
  bool dead_ = false;
};

using Made = Result<std::unique_ptr<node::Node>>;
/// By name, of those each file has; nothing for another name. `argument` follows the name's colon.
struct RoleRow {
  const char* name;
  const char* kind;
  Made (*make)(const RoleContext& context,
               const std::string& argument,
               std::unique_ptr<node::Node> inner);
};
[[nodiscard]] std::span<const RoleRow> provider_roles();
[[nodiscard]] std::span<const RoleRow> claim_roles();
[[nodiscard]] std::span<const RoleRow> auditor_roles();
[[nodiscard]] std::span<const RoleRow> challenger_roles();
[[nodiscard]] std::span<const RoleRow> forger_roles();
[[nodiscard]] std::span<const RoleRow> requester_roles();
[[nodiscard]] std::span<const RoleRow> ledger_roles();

template <class Role>
Made make_role(const RoleContext& context,
               const std::string& /*argument*/,
               std::unique_ptr<node::Node> inner) {
  auto role = std::make_unique<Role>(context, std::move(inner));
  TRY(role->open());
  return std::unique_ptr<node::Node>(std::move(role));
}

}  // namespace lockstep::sim
