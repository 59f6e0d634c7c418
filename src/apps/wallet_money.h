// What the wallet commands do on a network: balances, payments, history.
#pragma once

#include "apps/report.h"
#include "apps/visit.h"
#include "apps/wallet_book.h"
#include "apps/wallet_history.h"

namespace lockstep::apps {

/// One line a wallet; with what its owner has where `state` is known.
void tell_wallet(const Report& report, const Wallet& wallet, const ledger::State* state);

/// "5 LKS". Errors: bad_option for any other text, and for less than the least amount.
[[nodiscard]] Result<Amount> parse_payment(const std::string& text);

struct Payment {
  Wallet from;
  crypto::PublicKey to;
  Amount amount;
};
/// Errors: low_funds, those of Visit.
Result<void> check_funds(const ledger::State& state, const Payment& payment);

/// What the blocks did to an owner, from their own check. Errors: bad_block.
Result<std::vector<MoneyEntry>> history_of(const crypto::PublicKey& owner,
                                           const model::Genesis& genesis,
                                           const std::vector<model::Block>& blocks);
void tell_entry(const Report& report, const MoneyEntry& entry, const WalletBook& book);

}  // namespace lockstep::apps
