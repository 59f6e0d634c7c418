// Checking blocks: the header alone, a transaction's place under it, and the whole with a ledger.
#include "chain/blocks.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace lockstep::chain {
namespace {

constexpr uint64_t id_bytes = 32;
constexpr uint64_t node_bytes = limits::chunk_bytes;
constexpr uint64_t ids_per_chunk = node_bytes / id_bytes;

Bytes ids_of(std::span<const model::Signed> transactions) {
  codec::Writer writer;
  for (const model::Signed& transaction : transactions) {
    writer.hash(model::transaction_id(transaction).hash);
  }
  return std::move(writer).bytes();
}

Error bad_block(std::string what) {
  return refuse(Code::bad_block, std::move(what));
}

/// What the ledger itself cannot check: it does not see headers.
Result<void> check_link(const model::Header& header,
                        const model::Block& block,
                        const Hash& previous) {
  if (header.previous != previous) {
    return bad_block("the block does not follow on the one before");
  }
  size_t bytes = 0;
  for (const model::Signed& transaction : block.transactions) {
    bytes += transaction_bytes(transaction);
  }
  if (bytes > limits::block_bytes_max) {
    return bad_block("the block's transactions are longer than a block may be");
  }
  if (transactions_root(block.transactions) != header.transactions) {
    return bad_block("the transactions are not those of the header");
  }
  return {};
}

}  // namespace

const crypto::Mode& transactions_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 transactions");
  return mode;
}

Hash transactions_root(std::span<const model::Signed> transactions) {
  return crypto::hash(transactions_mode(), ids_of(transactions));
}

size_t transaction_bytes(const model::Signed& transaction) {
  static const size_t without_body = codec::encode(model::Signed{}).size();
  return without_body + transaction.body.size();
}

Result<model::Header> header_of(const model::Signed& header,
                                const model::NetworkId& network,
                                const crypto::PublicKey& sequencer) {
  if (header.signer != sequencer) {
    return bad_block("the header is not signed by the network's sequencer");
  }
  const auto body = TRY(model::open<model::Header>(header, network, model::SignedKind::header));
  if (header.nonce != body.height) {
    return bad_block("the header's nonce is not its height");
  }
  return body;
}

Inclusion prove_inclusion(std::span<const model::Signed> transactions, size_t index) {
  CHECK(index < transactions.size());
  const Bytes ids = ids_of(transactions);
  const uint64_t chunk = index / ids_per_chunk;
  const uint64_t first = chunk * node_bytes;
  const uint64_t size = std::min<uint64_t>(node_bytes, ids.size() - first);
  const ByteView bytes = ByteView(ids).subspan(first, size);
  Inclusion inclusion;
  inclusion.index = index;
  inclusion.count = transactions.size();
  inclusion.path.chunk.assign(bytes.begin(), bytes.end());
  inclusion.path.siblings = crypto::path_to_root(transactions_mode(), ids, chunk);
  return inclusion;
}

bool is_included(const Hash& root, const model::TransactionId& id, const Inclusion& inclusion) {
  if (inclusion.index >= inclusion.count || inclusion.count > limits::block_transactions_max) {
    return false;
  }
  const uint64_t bytes = inclusion.count * id_bytes;
  const uint64_t chunk = inclusion.index / ids_per_chunk;
  const Bytes& ids = inclusion.path.chunk;
  if (ids.size() != std::min(node_bytes, bytes - chunk * node_bytes)) {
    return false;
  }
  const ByteView entry =
      ByteView(ids).subspan(inclusion.index % ids_per_chunk * id_bytes, id_bytes);
  if (!std::ranges::equal(entry, id.hash.view())) {
    return false;
  }
  const uint64_t chunks = crypto::chunk_count(bytes);
  const auto reached =
      crypto::climb(transactions_mode(), ids, chunk, chunks, inclusion.path.siblings);
  return reached.ok() && *reached == crypto::Node{0, chunks, root};
}

Result<Follower> Follower::create(const model::Genesis& genesis) {
  return Follower(TRY(ledger::Ledger::create(genesis)));
}

Result<std::vector<ledger::Event>> Follower::follow(const model::Block& block) {
  if (broken_) {
    return bad_block("an earlier block gave another state than its header says");
  }
  const ledger::State& state = ledger_.state();
  const model::Header header = TRY(header_of(block.header, state.network, state.genesis.sequencer));
  TRY(check_link(header, block, previous_));
  auto events =
      TRY(ledger_.apply({header.height, header.time_ms, header.preimage, block.transactions}));
  if (ledger_.state_root() != header.state) {
    broken_ = true;
    return bad_block("the state after the block is not the one that its header says");
  }
  previous_ = model::signed_hash(block.header);
  return events;
}

}  // namespace lockstep::chain
