#include "apps/visit.h"

#include "apps/host.h"
#include "platform/random.h"
#include "platform/tcp_network.h"

namespace lockstep::apps {

struct Visit::Impl {
  platform::Loop loop;
  std::optional<platform::TcpNetwork> network;
  std::optional<net::Links> links;
  std::unique_ptr<node::Visitor> node;
  env::MemoryKeyValue nothing;  // a visitor keeps nothing
  std::optional<Host> host;
  std::map<model::TransactionId, Error> failed;
  std::optional<Error> why_down;

  Result<void> start(const model::Genesis& genesis, const LedgerPlace& ledger) {
    platform::Random random;
    Hash seed;
    TRY(random.fill(seed.bytes));
    const crypto::SecretKey key = crypto::SecretKey::from_seed(seed);
    const model::NetworkId id = model::network_id(genesis);
    auto identity = TRY(platform::TlsIdentity::make(seed, id.hash, platform::Loop::now_ms()));
    network.emplace(loop, std::move(identity));
    net::LinksOptions options;
    options.key = key.public_key();
    options.session.network = id;
    options.hub = ledger.node;
    options.known = [](const crypto::PublicKey&) { return false; };
    links.emplace(*network, std::move(options));
    network->set_handler(*links);
    links->add_peer(ledger.node, {ledger.address});
    node = TRY(node::Visitor::create(genesis, key));
    HostCallbacks callbacks;
    callbacks.on_tell = [this](uint64_t, const node::Notice& notice) { on_notice(notice); };
    callbacks.on_ask = [](const model::Transaction&) {};
    callbacks.on_store = [](const std::optional<Error>&) {};
    callbacks.on_peer_down = [this](const crypto::PublicKey&, const Error& why) { why_down = why; };
    host.emplace(Host::Parts{*node, loop, *links, nothing, nullptr}, std::move(callbacks));
    host->start();
    return {};
  }
  void on_notice(const node::Notice& notice) {
    const auto* const news = std::get_if<node::LedgerNews>(&notice);
    const auto* const bad =
        news == nullptr ? nullptr : std::get_if<ledger::TransactionFailed>(&news->event);
    if (bad != nullptr) {
      failed.emplace(bad->id, bad->error);
    }
  }
  bool wait(uint64_t ms_max, const std::function<bool()>& done) {
    constexpr uint64_t look_ms = 5;
    const uint64_t end = platform::Loop::monotonic_ms() + ms_max;
    while (!done() && platform::Loop::monotonic_ms() < end) {
      loop.call_after(look_ms, [this] { loop.stop(); });
      loop.run();
    }
    return done();
  }
  [[nodiscard]] Error silence(const std::string& what) const {
    if (why_down) {
      return *why_down;
    }
    return refuse(
        Code::timed_out, what, "see whether the network runs (`lockstep up`), and try again");
  }
};

Visit::Visit(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Visit::~Visit() = default;

Result<std::unique_ptr<Visit>> Visit::begin(const model::Genesis& genesis,
                                            const LedgerPlace& ledger,
                                            uint64_t patience) {
  auto visit = std::unique_ptr<Visit>(new Visit(std::make_unique<Impl>()));
  Impl& impl = *visit->impl_;
  TRY(impl.start(genesis, ledger));
  const bool there = impl.wait(patience, [&impl] { return impl.node->is_up_to_date(); });
  if (!there) {
    Error error = impl.silence("the ledger at " + text_of(ledger.address) + " did not answer");
    error.where = error.where.empty() ? text_of(ledger.address) : error.where;
    return error;
  }
  return visit;
}

const ledger::State& Visit::state() const {
  return impl_->node->ledger().state();
}

uint64_t Visit::next_nonce(const crypto::PublicKey& signer) const {
  const auto found = state().nonces.find(signer);
  return found == state().nonces.end() ? 0 : found->second;
}

Result<model::TransactionId> Visit::submit(const crypto::SecretKey& signer,
                                           const model::Transaction& transaction) {
  return TRY(submit_all({{signer, transaction}})).front();
}

Result<std::vector<model::TransactionId>> Visit::submit_all(
    const std::vector<std::pair<crypto::SecretKey, model::Transaction>>& transactions) {
  std::map<crypto::PublicKey, uint64_t> nonces;
  std::vector<model::TransactionId> ids;
  for (const auto& [signer, transaction] : transactions) {
    const auto next =
        nonces.try_emplace(signer.public_key(), next_nonce(signer.public_key())).first;
    const model::Context context{state().network, model::SignedKind::transaction, next->second++};
    const model::Signed made = model::sign(signer, context, codec::encode(transaction));
    ids.push_back(model::transaction_id(made));
    impl_->host->give_signed(made);
  }
  const bool taken = impl_->wait(patience_ms, [&] {
    return std::all_of(nonces.begin(), nonces.end(), [&](const auto& entry) {
      return next_nonce(entry.first) >= entry.second;
    });
  });
  if (!taken) {
    return impl_->silence("the ledger did not take the transactions in time");
  }
  for (const model::TransactionId& id : ids) {
    const auto failed = impl_->failed.find(id);
    if (failed != impl_->failed.end()) {
      return failed->second;
    }
  }
  return ids;
}

Result<bool> Visit::wait(uint64_t ms_max, const std::function<bool()>& done) {
  return impl_->wait(ms_max, done);
}

}  // namespace lockstep::apps
