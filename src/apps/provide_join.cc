#include "apps/provide_join.h"

#include "apps/hints.h"
#include "apps/host.h"
#include "apps/interrupt.h"
#include "crypto/key_text.h"
#include "platform/network_at.h"
#include "platform/random.h"
#include "platform/tcp_network.h"

namespace lockstep::apps {
namespace {

constexpr uint64_t patience_ms = 10'000;

Error bad_join(const std::string& text) {
  return refuse(Code::bad_address,
                "\"" + text + "\" names no network",
                "write ADDRESS#NODEID, as `lockstep up` prints it: 192.0.2.7:4100#lk1...",
                "--join");
}

Result<crypto::PublicKey> key_in(const std::string& text) {
  crypto::PublicKey key;
  const auto bytes = from_hex(text);
  if (!bytes.ok() || bytes->size() != key.bytes.size()) {
    return crypto::parse_key(text);
  }
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  return key;
}

/// Asks one question until there is an answer.
class Asker final : public node::Node {
 public:
  explicit Asker(const crypto::PublicKey& ledger) : ledger_(ledger) {}
  void start(uint64_t now_ms) override { ask(now_ms); }
  void on_timer(uint64_t now_ms, uint64_t /*id*/) override {
    if (!answer) {
      ask(now_ms);
    }
  }
  void on_message(uint64_t /*now_ms*/,
                  const node::PublicKey& from,
                  const net::Message& message) override {
    const auto* const given = std::get_if<net::GiveGenesis>(&message);
    if (given != nullptr && from == ledger_ && !answer) {
      answer = given->genesis;
    }
  }
  void on_work(uint64_t /*now_ms*/, node::WorkDone /*done*/) override {}
  void on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) override {}

  std::optional<Bytes> answer;

 private:
  void ask(uint64_t now_ms) {
    constexpr uint64_t again_ms = 1000;
    effects_.push_back(node::Send{ledger_, net::AskGenesis{}});
    effects_.push_back(node::SetTimer{now_ms + again_ms, 1});
  }
  crypto::PublicKey ledger_;
};

/// A connection for that one question.
struct Question {
  platform::Loop loop;
  std::optional<platform::TcpNetwork> network;
  std::optional<net::Links> links;
  std::optional<Asker> node;
  env::MemoryKeyValue nothing;
  std::optional<Host> host;
  std::optional<Error> why_down;

  Result<void> start(const LedgerPlace& ledger, const Hash& id) {
    platform::Random random;
    Hash seed;
    TRY(random.fill(seed.bytes));
    const crypto::SecretKey key = crypto::SecretKey::from_seed(seed);
    network.emplace(loop, TRY(platform::TlsIdentity::make(seed, id, platform::Loop::now_ms())));
    net::LinksOptions options;
    options.key = key.public_key();
    options.session.network = model::NetworkId{id};
    options.hub = ledger.node;
    options.known = [](const crypto::PublicKey&) { return false; };
    links.emplace(*network, std::move(options));
    network->set_handler(*links);
    links->add_peer(ledger.node, {ledger.address});
    node.emplace(ledger.node);
    HostCallbacks callbacks;
    callbacks.on_tell = [](uint64_t, const node::Notice&) {};
    callbacks.on_ask = [](const model::Transaction&) {};
    callbacks.on_store = [](const std::optional<Error>&) {};
    callbacks.on_peer_down = [this](const crypto::PublicKey&, const Error& why) { why_down = why; };
    host.emplace(Host::Parts{*node, loop, *links, nothing, nullptr}, std::move(callbacks));
    host->start();
    return {};
  }
  Result<Bytes> wait(const LedgerPlace& ledger) {
    constexpr uint64_t look_ms = 5;
    const uint64_t end = platform::Loop::monotonic_ms() + patience_ms;
    while (!node->answer && !is_interrupted() && platform::Loop::monotonic_ms() < end) {
      loop.call_after(look_ms, [this] { loop.stop(); });
      loop.run();
    }
    if (node->answer) {
      return *node->answer;
    }
    if (is_interrupted()) {
      return interrupted_at_once();
    }
    return why_down.value_or(refuse(Code::timed_out,
                                    "the ledger's node does not say what its network starts from",
                                    "check that both run the same version, and try again",
                                    text_of(ledger.address)));
  }
};

}  // namespace

Result<LedgerPlace> parse_join(const std::string& text) {
  const size_t hash = text.rfind('#');
  if (hash == std::string::npos) {
    return bad_join(text);
  }
  const auto address = parse_address(text.substr(0, hash));
  const auto key = key_in(text.substr(hash + 1));
  if (!address.ok() || !key.ok() || address->port == 0) {
    return bad_join(text);
  }
  return LedgerPlace{*address, *key};
}

std::string join_text(const LedgerPlace& ledger) {
  return text_of(ledger.address) + "#" + crypto::key_text(ledger.node);
}

Result<model::Genesis> ask_genesis(const LedgerPlace& ledger) {
  const Hash id = TRY(platform::network_at(ledger.address, ledger.node.bytes, patience_ms));
  Question question;
  TRY(question.start(ledger, id));
  const Bytes answer = TRY(question.wait(ledger));
  auto genesis = codec::decode<model::Genesis>(answer);
  if (!genesis.ok() || model::network_id(*genesis).hash != id ||
      genesis->sequencer != ledger.node) {
    return refuse(Code::not_trusted,
                  "the ledger's node gives a genesis that is not its network's",
                  "check the address and the node key",
                  text_of(ledger.address));
  }
  return genesis;
}

Result<Missing> missing_of(const ledger::State& state, const Registration& wanted) {
  Missing missing;
  const auto node = state.nodes.find(wanted.node.public_key());
  missing.node = node == state.nodes.end();
  if (!missing.node && node->second.owner != wanted.owner) {
    return refuse(Code::already_there,
                  "this machine is registered for another owner",
                  "name that owner, or choose another folder: --dir",
                  "--owner");
  }
  const auto found = state.accounts.find(wanted.owner);
  const ledger::Account account = found == state.accounts.end() ? ledger::Account{} : found->second;
  if (account.stake >= wanted.stake) {
    return missing;
  }
  missing.stake = TRY(wanted.stake.subtract(account.stake));
  if (account.balance < missing.stake) {
    const Amount gap = TRY(missing.stake.subtract(account.balance));
    const std::string key = crypto::key_text(wanted.owner);
    return refuse(Code::low_funds,
                  "the owner has " + account.balance.print() + ", and a stake of " +
                      wanted.stake.print() + " takes " + missing.stake.print(),
                  "send what is missing, and run this again: lockstep wallet send --to " + key +
                      " --amount \"" + gap.print() + "\"",
                  key);
  }
  return missing;
}

}  // namespace lockstep::apps
