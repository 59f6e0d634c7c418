// A provider: quotes, takes assignments of its leases, runs them, delivers, claims once an epoch,
// opens salts when audited and answers when challenged.
#pragma once

#include <deque>
#include <functional>

#include "attest/witness.h"
#include "env/key_value.h"
#include "model/slice.h"
#include "node/blob_client.h"
#include "node/ledger_client.h"

namespace lockstep::node {

/// What this machine offers; everything of a quote but owner and expiry.
struct Machine {
  std::string name;
  Amount price_per_unit;
  uint64_t operations_per_second = 10'000'000'000;
  uint64_t memory_bytes = 0;
  uint32_t cpus = 0;
  std::string device_class;
  std::string region;
};

class Provider final : public Node {
 public:
  /// Borrows the stores. `secrets` keeps what must outlive a crash: receipts and salts, durable
  /// before a receipt leaves; they are read again here. `salt_seed` is secret. Errors: those of the
  /// ledger's genesis and of the store.
  struct Setup {
    model::Genesis genesis;
    Identity identity;
    Machine machine;
    Hash salt_seed;
    /// What its owner lends: a task that does not fit is declined. None: the whole machine.
    std::optional<model::Slice> slice{};
    /// Bytes that so many steps of a program take, to run and to answer for; none: not known.
    std::function<Result<uint64_t>(const law::Program&, uint32_t steps)> memory_need{};
  };
  static Result<std::unique_ptr<Provider>> create(Setup setup,
                                                  store::Blobs& blobs,
                                                  env::KeyValue& secrets);
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  [[nodiscard]] const LedgerClient& ledger() const;
  /// Whether its owner lends the machine now, at first it does. While not, it gives no quotes,
  /// takes no tasks and gives back those that do not run; it delivers, claims and defends as ever.
  void set_open(bool open);
  [[nodiscard]] bool is_open() const;
  ~Provider() override;

 private:
  struct Impl;
  explicit Provider(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A provider stops at so many delivered tasks without a voucher.
inline constexpr size_t unsigned_tasks_max = 4;

}  // namespace lockstep::node
