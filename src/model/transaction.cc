// The one signature within a transaction that is not its signer's: a node's consent to its owner.
#include "model/transaction.h"

namespace lockstep::model {

RegisterNode register_node(const NetworkId& network,
                           const crypto::SecretKey& node,
                           const NodeConsent& consent) {
  const Signed agreed = sign(node, {network, SignedKind::consent, 0}, codec::encode(consent));
  return {agreed.signer, consent.role, agreed.signature};
}

Result<void> verify_consent(const RegisterNode& body,
                            const NetworkId& network,
                            const crypto::PublicKey& owner) {
  Signed agreed;
  agreed.network = network;
  agreed.kind = SignedKind::consent;
  agreed.signer = body.node;
  agreed.body = codec::encode(NodeConsent{owner, body.role});
  agreed.signature = body.consent;
  return verify(agreed, network, SignedKind::consent);
}

}  // namespace lockstep::model
