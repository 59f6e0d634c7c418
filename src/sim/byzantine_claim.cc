// Providers that do true work and try to be paid twice for it, with other papers than their own.
#include "sim/byzantine_node.h"
#include "sim/byzantine_quote.h"
#include "sim/machine.h"

namespace lockstep::sim {
namespace {

using model::Transaction;

/// The key of nobody: what is signed with it was signed by a stranger.
crypto::SecretKey strangers_key() {
  return node_key("stranger");
}

/// Never claims what it delivers.
class NeverClaims final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::PostClaim>(body) ? std::nullopt
                                                          : std::optional(std::move(body));
  }
};

/// Claims every task again: in a second claim, twice in one, for every other lease, and with its
/// receipts signed by another key.
class DoubleClaimer final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t now, Transaction body) override {
    const auto* const claim = std::get_if<model::PostClaim>(&body);
    if (claim == nullptr) {
      return body;
    }
    model::PostClaim twice = *claim;
    twice.entries.insert(twice.entries.end(), claim->entries.begin(), claim->entries.end());
    submit(now, twice);
    submit(now, *claim);
    submit(now, under_another_key(*claim));
    for (const auto& [id, lease] : state().leases) {
      if (id != claim->lease) {
        submit(now, model::PostClaim{id, claim->entries});
        submit(now, for_another_lease(*claim, id));
      }
    }
    return body;  // and once more
  }
  [[nodiscard]] model::PostClaim under_another_key(model::PostClaim claim) const {
    for (model::ClaimEntry& entry : claim.entries) {
      entry.receipt = model::sign(
          strangers_key(), {state().network, model::SignedKind::receipt, 0}, entry.receipt.body);
    }
    return claim;
  }
  [[nodiscard]] model::PostClaim for_another_lease(model::PostClaim claim,
                                                   const model::LeaseId& lease) const {
    claim.lease = lease;
    for (model::ClaimEntry& entry : claim.entries) {
      auto receipt = codec::decode<model::Receipt>(entry.receipt.body);
      if (receipt.ok()) {
        receipt->lease = lease;
        entry.receipt = model::sign(context().identity.key,
                                    {state().network, model::SignedKind::receipt, 0},
                                    codec::encode(*receipt));
      }
    }
    return claim;
  }
};

/// Claims its tasks with each other's receipts, before it claims them with their own.
class SwapsReceipts final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t now, Transaction body) override {
    const auto* const claim = std::get_if<model::PostClaim>(&body);
    if (claim == nullptr) {
      return body;
    }
    model::PostClaim swapped{claim->lease, {}};
    for (const model::ClaimEntry& entry : claim->entries) {
      if (kept_) {
        swapped.entries.push_back({entry.assignment, *kept_, std::nullopt});
      }
      kept_ = entry.receipt;
    }
    if (!swapped.entries.empty()) {
      submit(now, swapped);
    }
    return body;
  }
  std::optional<model::Signed> kept_;  // of the task before
};

/// Replays what others signed, what it signed before, and papers of another network.
class Replayer final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  bool hears(uint64_t /*now*/,
             const crypto::PublicKey& from,
             const net::Message& message) override {
    if (const auto* const blocks = std::get_if<net::Blocks>(&message)) {
      for (const model::Block& block : blocks->blocks) {
        replay(block);
      }
    } else if (std::holds_alternative<net::Assign>(message) ||
               std::holds_alternative<net::GiveVoucher>(message)) {
      for (const auto& [key, node] : state().nodes) {
        if (key != from && key != self()) {
          send(key, message);
        }
      }
    }
    return true;
  }
  void replay(const model::Block& block) {
    constexpr size_t bytes_max = 64 << 10;  // programs are long
    for (const model::Signed& transaction : block.transactions) {
      if (transaction.body.size() > bytes_max) {
        continue;
      }
      send_raw(transaction);
      model::Signed again = transaction;
      again.nonce += 1;  // the signature is for the old one
      send_raw(again);
      Hash other = state().network.hash;
      other.bytes[0] ^= 1;
      send_raw(model::sign(context().identity.key,
                           {{other}, model::SignedKind::transaction, again.nonce},
                           transaction.body));
    }
  }
  std::optional<Transaction> submits(uint64_t now, Transaction body) override {
    if (const auto* const claim = std::get_if<model::PostClaim>(&body)) {
      replay_claims(now, *claim);
    }
    return body;
  }
  /// The entries of other leases' claims, as its own and as theirs.
  void replay_claims(uint64_t now, const model::PostClaim& own) {
    for (const auto& [id, claim] : state().claims) {
      const model::PostClaim* const posted = ledger().claim(id);
      if (posted != nullptr && claim.lease != own.lease) {
        submit(now, *posted);
        submit(now, model::PostClaim{own.lease, posted->entries});
      }
    }
    model::PostClaim foreign = own;
    Hash other = state().network.hash;
    other.bytes[0] ^= 1;
    for (model::ClaimEntry& entry : foreign.entries) {
      entry.receipt = model::sign(
          context().identity.key, {{other}, model::SignedKind::receipt, 0}, entry.receipt.body);
    }
    submit(now, foreign);
  }
};

/// Quotes in another's name, then cheaply, and once it has the lease at ten times the price.
class SwapsQuotes final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<net::Message> sends(uint64_t /*now*/,
                                    const crypto::PublicKey& to,
                                    net::Message message) override {
    const auto* const given = std::get_if<net::GiveQuote>(&message);
    if (given == nullptr) {
      return message;
    }
    const auto quote = codec::decode<model::Quote>(given->quote.body);
    if (!quote.ok()) {
      return message;
    }
    model::Quote anothers = *quote;
    anothers.owner = owner_key("provider-1").public_key();
    send(to, net::GiveQuote{sign(anothers)});
    model::Quote dear = *quote;
    dear.price_per_unit = Amount::from_nano(quote->price_per_unit.nano() * dear_times);
    later_ = {to, sign(dear)};
    return message;
  }
  void news(uint64_t now, const node::LedgerNews& news) override {
    const auto* const opened = std::get_if<ledger::LeaseOpened>(&news.event);
    if (opened == nullptr || opened->node != self() || !later_) {
      return;
    }
    send(later_->first, net::GiveQuote{later_->second});
    // Only the requester opens leases; it tries all the same.
    submit(now, model::OpenLease{opened->job, later_->second});
  }
  model::Signed sign(const model::Quote& quote) {
    return model::sign(context().identity.key,
                       {state().network, model::SignedKind::quote, 1000 + quotes_++},
                       codec::encode(quote));
  }
  static constexpr int64_t dear_times = 10;
  uint64_t quotes_ = 0;
  std::optional<std::pair<crypto::PublicKey, model::Signed>> later_;
};

constexpr RoleRow rows[] = {
    {"delivers-never-claims", "provider", make_role<NeverClaims>},
    {"double-claimer", "provider", make_role<DoubleClaimer>},
    {"receipt-swap", "provider", make_role<SwapsReceipts>},
    {"replayer", "provider", make_role<Replayer>},
    {"quote-swap", "provider", make_role<SwapsQuotes>},
};

}  // namespace

Bytes at_a_price(const Bytes& quote, Amount price) {
  auto changed = codec::decode<model::Quote>(quote);
  if (!changed.ok()) {
    return quote;
  }
  changed->price_per_unit = price;
  return codec::encode(*changed);
}

std::span<const RoleRow> claim_roles() {
  return rows;
}

}  // namespace lockstep::sim
