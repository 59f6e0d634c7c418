#include "apps/visit.h"

#include "apps/hints.h"
#include "apps/host.h"
#include "apps/interrupt.h"
#include "platform/random.h"
#include "platform/tcp_network.h"

namespace lockstep::apps {

namespace {

/// Keeps the blocks that come.
class BlockKeeper final : public HostWatch {
 public:
  void on_start(uint64_t /*now_ms*/) override {}
  void on_message(uint64_t /*now_ms*/,
                  const crypto::PublicKey& /*from*/,
                  const net::Message& message) override {
    const auto* const more = std::get_if<net::Blocks>(&message);
    if (more == nullptr) {
      return;
    }
    for (const model::Block& block : more->blocks) {
      blocks.try_emplace(block.header.nonce, block);  // its height
    }
  }
  void on_timer(uint64_t /*now_ms*/, uint64_t /*id*/) override {}
  void on_work(uint64_t /*now_ms*/, const node::WorkDone& /*done*/) override {}
  void on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) override {}
  void on_providers(uint64_t /*now_ms*/, const std::vector<crypto::PublicKey>& /*keys*/) override {}
  void on_effect(uint64_t /*now_ms*/, const node::Effect& /*effect*/) override {}

  std::map<uint64_t, model::Block> blocks;
};

/// Hands everything on, and remembers why a link ended: the links themselves do not tell it while
/// they try again.
class Door final : public env::Network::Handler {
 public:
  void on_open(env::Link link, const env::NodeId& peer, bool dialed) override {
    links->on_open(link, peer, dialed);
  }
  void on_bytes(env::Link link, ByteView bytes) override { links->on_bytes(link, bytes); }
  void on_drained(env::Link link) override { links->on_drained(link); }
  void on_closed(env::Link link, const Error& why) override {
    closed = why;
    links->on_closed(link, why);
  }

  net::Links* links = nullptr;
  std::optional<Error> closed;
};

}  // namespace

struct Visit::Impl {
  platform::Loop loop;
  std::optional<platform::TcpNetwork> network;
  std::optional<net::Links> links;
  std::unique_ptr<node::Visitor> node;
  env::MemoryKeyValue nothing;  // a visitor keeps nothing
  std::optional<Host> host;
  std::map<model::TransactionId, Error> failed;
  std::optional<Error> why_down;
  Door door;
  BlockKeeper keeper;

  Result<void> start(const model::Genesis& genesis, const LedgerPlace& ledger, Blocks blocks) {
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
    door.links = &*links;
    network->set_handler(door);
    links->add_peer(ledger.node, {ledger.address});
    node = TRY(node::Visitor::create(genesis, key));
    HostCallbacks callbacks;
    callbacks.on_tell = [this](uint64_t, const node::Notice& notice) { on_notice(notice); };
    callbacks.on_ask = [](const model::Transaction&) {};
    callbacks.on_store = [](const std::optional<Error>&) {};
    callbacks.on_peer_down = [this](const crypto::PublicKey&, const Error& why) { why_down = why; };
    host.emplace(Host::Parts{*node, loop, *links, nothing, nullptr}, std::move(callbacks));
    if (blocks == Blocks::kept) {
      host->add_watch(keeper);
    }
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
    while (!done() && !is_interrupted() && platform::Loop::monotonic_ms() < end) {
      loop.call_after(look_ms, [this] { loop.stop(); });
      loop.run();
    }
    return done();
  }
  /// Waiting longer would not help.
  [[nodiscard]] bool is_hopeless(uint64_t begun_ms) const {
    const bool trusted = !why_down || why_down->code != Code::not_trusted;
    const bool is_late = platform::Loop::monotonic_ms() - begun_ms >= unreachable_ms;
    return !trusted || (is_late && (why_down || is_refused()));
  }
  /// By the ledger, which took this side's certificate for wrong after the link was up.
  [[nodiscard]] bool is_refused() const {
    return door.closed && door.closed->code == Code::not_trusted;
  }
  [[nodiscard]] Error silence(const std::string& what) const {
    if (is_interrupted()) {
      return interrupted_at_once();
    }
    if (!why_down && !is_refused()) {
      return refuse(Code::timed_out, what, "start what of it has died: lockstep up; try again");
    }
    Error error = why_down ? *why_down : *door.closed;
    if (error.code == Code::unreachable) {
      error.next = "start the network, or what of it has died: lockstep up";
    } else if (error.next.find("date -u") != std::string::npos) {
      error.next += "; to set this one: sudo timedatectl set-ntp true";
    }
    return error;
  }
};

Visit::Visit(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Visit::~Visit() = default;

Result<std::unique_ptr<Visit>> Visit::begin(const model::Genesis& genesis,
                                            const LedgerPlace& ledger,
                                            uint64_t patience,
                                            Blocks blocks) {
  auto visit = std::unique_ptr<Visit>(new Visit(std::make_unique<Impl>()));
  Impl& impl = *visit->impl_;
  TRY(impl.start(genesis, ledger, blocks));
  const uint64_t begun_ms = platform::Loop::monotonic_ms();
  (void)impl.wait(patience, [&impl, begun_ms] {
    return impl.node->is_up_to_date() || impl.is_hopeless(begun_ms);
  });
  if (!impl.node->is_up_to_date()) {
    Error error = impl.silence("the ledger at " + text_of(ledger.address) + " did not answer");
    error.where = error.where.empty() ? text_of(ledger.address) : error.where;
    return error;
  }
  return visit;
}

const ledger::State& Visit::state() const {
  return impl_->node->ledger().state();
}

std::vector<model::Block> Visit::blocks() const {
  std::vector<model::Block> all;
  all.reserve(impl_->keeper.blocks.size());
  for (const auto& [height, block] : impl_->keeper.blocks) {
    all.push_back(block);
  }
  return all;
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
  if (!taken && is_interrupted()) {
    return refuse(Code::cancelled,
                  "interrupted; what was signed may stand in the ledger, or come there yet",
                  "look before you do it again: lockstep wallet history, lockstep jobs");
  }
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
