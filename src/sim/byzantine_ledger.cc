// What the operator of the ledger may do: drop messages for a while, and tell a friend what waits.
// It is trusted for order and liveness; these are bounded breaches of that trust.
#include "sim/byzantine_node.h"
#include "sim/machine.h"

namespace lockstep::sim {
namespace {

/// The ledger's node inside a mask. It follows no ledger: it is the ledger.
class Mask : public node::Node {
 public:
  Mask(const RoleContext& context, std::string argument, std::unique_ptr<node::Node> inner)
      : context_(context), argument_(std::move(argument)), inner_(std::move(inner)) {}
  void start(uint64_t now_ms) override {
    inner_->start(now_ms);
    drain();
  }
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override {
    if (hears(now_ms, from, message)) {
      inner_->on_message(now_ms, from, message);
    }
    drain();
  }
  void on_timer(uint64_t now_ms, uint64_t id) override {
    inner_->on_timer(now_ms, id);
    drain();
  }
  void on_work(uint64_t now_ms, node::WorkDone done) override {
    inner_->on_work(now_ms, std::move(done));
  }
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override {
    inner_->on_signed(now_ms, transaction);
  }

 protected:
  virtual bool hears(uint64_t now, const crypto::PublicKey& from, const net::Message& message) = 0;
  [[nodiscard]] Conspiracy& conspiracy() const { return *context_.conspiracy; }
  [[nodiscard]] const std::string& argument() const { return argument_; }

 private:
  void drain() {
    for (node::Effect& effect : inner_->take_effects()) {
      effects_.push_back(std::move(effect));
    }
  }
  RoleContext context_;
  std::string argument_;
  std::unique_ptr<node::Node> inner_;
};

bool is_about_claims(const net::Message& message) {
  const auto* const submitted = std::get_if<net::SubmitTransaction>(&message);
  const auto body = submitted == nullptr
                        ? Result<model::Transaction>(refuse(Code::internal, "no transaction"))
                        : codec::decode<model::Transaction>(submitted->transaction.body);
  return body.ok() && (std::holds_alternative<model::OpenSalts>(*body) ||
                       std::holds_alternative<model::PostClaim>(*body) ||
                       std::holds_alternative<model::PostAnswer>(*body));
}

/// Drops everything that one party says, from its first claim on, for less than an answer's time.
class Dropping final : public Mask {
 public:
  using Mask::Mask;

 private:
  bool hears(uint64_t now, const crypto::PublicKey& from, const net::Message& message) override {
    constexpr uint64_t drop_ms = 3000;
    if (from != node_key(argument()).public_key()) {
      return true;
    }
    if (!since_ms_ && is_about_claims(message)) {
      since_ms_ = now;
    }
    return !since_ms_ || now >= *since_ms_ + drop_ms;
  }
  std::optional<uint64_t> since_ms_;
};

/// Shows every transaction to a friend before it stands in a block.
class Leaky final : public Mask {
 public:
  using Mask::Mask;

 private:
  bool hears(uint64_t /*now*/, const crypto::PublicKey&, const net::Message& message) override {
    if (const auto* const submitted = std::get_if<net::SubmitTransaction>(&message)) {
      conspiracy().pending.push_back(submitted->transaction);
    }
    return true;
  }
};

template <class Role>
Made make_mask(const RoleContext& context,
               const std::string& argument,
               std::unique_ptr<node::Node> inner) {
  return std::unique_ptr<node::Node>(std::make_unique<Role>(context, argument, std::move(inner)));
}

constexpr RoleRow rows[] = {
    {"dropping-ledger", "ledger", make_mask<Dropping>},
    {"leaky-ledger", "ledger", make_mask<Leaky>},
};

}  // namespace

std::span<const RoleRow> ledger_roles() {
  return rows;
}

}  // namespace lockstep::sim
