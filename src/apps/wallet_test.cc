// Wallets: made, listed, unlocked, changed, taken along; never open to others; and the texts of
// nodes and folders on command lines.
#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>

#include "apps/folders.h"
#include "apps/peer_text.h"
#include "apps/wallet_files.h"
#include "base/test_random.h"
#include "crypto/key_text.h"
#include "platform/private_files.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr crypto::KeyCost cheap{1, uint64_t{8} << 10};

class FakeRandom final : public env::Random {
 public:
  Result<void> fill(std::span<uint8_t> out) override {
    if (broken) {
      return refuse(Code::io_failed, "no random bytes");
    }
    for (uint8_t& byte : out) {
      byte = static_cast<uint8_t>(random_.next());
    }
    return {};
  }
  bool broken = false;

 private:
  TestRandom random_{1};
};

/// Answers in order; `prompts` is what was asked.
class FakeSource final : public PassphraseSource {
 public:
  explicit FakeSource(std::deque<std::string> answers, bool person = true)
      : answers_(std::move(answers)), person_(person) {}
  Result<crypto::SecretText> ask(const std::string& prompt) override {
    prompts.push_back(prompt);
    if (answers_.empty()) {
      return refuse(Code::cancelled, "nothing was entered");
    }
    crypto::SecretText text;
    for (const char letter : answers_.front()) {
      EXPECT_TRUE(text.add(letter));
    }
    answers_.pop_front();
    return text;
  }
  [[nodiscard]] bool is_person() const override { return person_; }
  std::vector<std::string> prompts;

 private:
  std::deque<std::string> answers_;
  bool person_;
};

class WalletTest : public ::testing::Test {
 public:
  ~WalletTest() override { fs::remove_all(root_); }

 protected:
  WalletTest()
      : root_(::testing::TempDir() + "wallet_test_" + std::to_string(::getpid())),
        files_(root_ + "/config/lockstep/wallets", random_, cheap) {
    fs::remove_all(root_);
    EXPECT_TRUE(platform::make_private_folder(root_).ok());
  }

  Wallet made(const std::string& name, const std::string& passphrase = "correct horse") {
    FakeSource source({passphrase, passphrase});
    auto wallet = files_.create(name, source);
    EXPECT_TRUE(wallet.ok()) << wallet.error().message();
    return std::move(wallet).value();
  }
  Code unlock_code(const std::string& name, const std::string& passphrase) {
    FakeSource source({passphrase});
    const auto key = files_.unlock(name, source);
    return key.ok() ? Code{} : key.error().code;
  }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  std::string root_;
  FakeRandom random_;
  WalletFiles files_;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

TEST_F(WalletTest, IsMadeListedShownAndUnlocked) {
  EXPECT_TRUE(files_.list().value().empty()) << "before there is a folder";
  const Wallet bob = made("bob");
  const Wallet alice = made("alice");
  EXPECT_NE(alice.key, bob.key);
  const auto all = files_.list().value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "alice");
  EXPECT_EQ(all[1].name, "bob");
  EXPECT_EQ(all[1].key, bob.key);
  EXPECT_TRUE(all[1].sealed);
  EXPECT_EQ(files_.show("bob").value().key, bob.key);
  FakeSource source({"correct horse"});
  EXPECT_EQ(files_.unlock("bob", source).value().public_key(), bob.key);
  EXPECT_EQ(source.prompts, std::vector<std::string>{"Passphrase for bob: "});
  EXPECT_EQ(unlock_code("bob", "correct hors"), Code::bad_key_file);
  EXPECT_EQ(fs::status(bob.path).permissions(), fs::perms(0600));
}

TEST_F(WalletTest, APersonTypesANewPassphraseTwiceAndAFileIsReadOnce) {
  FakeSource differs({"correct horse", "correct hosre"});
  EXPECT_EQ(files_.create("a", differs).error().code, Code::bad_option);
  EXPECT_EQ(differs.prompts.size(), 2U);
  FakeSource brief({"1234567", "1234567"});
  EXPECT_EQ(files_.create("a", brief).error().code, Code::bad_option);
  FakeSource stops({"correct horse"});
  EXPECT_EQ(files_.create("a", stops).error().code, Code::cancelled);
  EXPECT_TRUE(files_.list().value().empty());

  const std::string path = root_ + "/phrase";
  const std::string text = "from the file\n";
  ASSERT_TRUE(platform::write_private_file(
                  path, Bytes(text.begin(), text.end()), platform::Existing::refused)
                  .ok());
  FiledPassphrase file(path);
  ASSERT_TRUE(files_.create("a", file).ok());
  EXPECT_EQ(unlock_code("a", "from the file"), Code{});
  fs::permissions(path, fs::perms(0644));
  EXPECT_EQ(files_.unlock("a", file).error().code, Code::not_permitted);
}

TEST_F(WalletTest, ASecondOneOfTheSameNameIsRefusedBeforeAnythingIsAsked) {
  const Wallet first = made("a");
  FakeSource source({"other phrase", "other phrase"});
  EXPECT_EQ(files_.create("a", source).error().code, Code::already_there);
  EXPECT_TRUE(source.prompts.empty());
  EXPECT_EQ(files_.show("a").value().key, first.key);
}

TEST_F(WalletTest, NamesCannotLeaveTheFolder) {
  for (const std::string& name : {std::string(),
                                  std::string("../x"),
                                  std::string("a/b"),
                                  std::string("A"),
                                  std::string("a.b"),
                                  std::string("-x"),
                                  std::string(65, 'a'),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3)}) {
    FakeSource source({"correct horse", "correct horse"});
    EXPECT_EQ(files_.create(name, source).error().code, Code::bad_option) << name;
    EXPECT_EQ(files_.show(name).error().code, Code::bad_option) << name;
    EXPECT_EQ(files_.import_from("x", name, source).error().code, Code::bad_option) << name;
  }
}

TEST_F(WalletTest, AMissingOneIsExplained) {
  EXPECT_EQ(files_.show("alice").error().next, "make one: lockstep wallet create alice");
  made("alice");
  made("bob");
  EXPECT_EQ(files_.show("alcie").error().next, "did you mean \"alice\"?");
  EXPECT_EQ(files_.show("treasury").error().next, "write one of: alice, bob");
  EXPECT_EQ(files_.show("treasury").error().code, Code::file_not_found);
}

TEST_F(WalletTest, WhatOthersMayReadIsNotUsed) {
  const Wallet wallet = made("a");
  fs::permissions(wallet.path, fs::perms(0640));
  EXPECT_EQ(files_.show("a").error().code, Code::not_permitted);
  EXPECT_EQ(files_.list().error().code, Code::not_permitted);
  EXPECT_EQ(unlock_code("a", "correct horse"), Code::not_permitted);
  fs::permissions(wallet.path, fs::perms(0600));
  fs::permissions(fs::path(wallet.path).parent_path(), fs::perms(0755));
  EXPECT_EQ(files_.show("a").error().code, Code::not_permitted);
  EXPECT_EQ(unlock_code("a", "correct horse"), Code::not_permitted);
  FakeSource source({"correct horse", "correct horse"});
  EXPECT_EQ(files_.create("b", source).error().code, Code::not_permitted);
}

TEST_F(WalletTest, ThePassphraseChanges) {
  const Wallet wallet = made("a");
  FakeSource wrong({"wrong horse"});
  FakeSource wanted({"battery staple", "battery staple"});
  EXPECT_EQ(files_.change_passphrase("a", wrong, wanted).error().code, Code::bad_key_file);
  EXPECT_TRUE(wanted.prompts.empty()) << "the old one is checked first";
  FakeSource right({"correct horse"});
  ASSERT_TRUE(files_.change_passphrase("a", right, wanted).ok());
  EXPECT_EQ(unlock_code("a", "correct horse"), Code::bad_key_file);
  EXPECT_EQ(unlock_code("a", "battery staple"), Code{});
  EXPECT_EQ(files_.show("a").value().key, wallet.key);
}

TEST_F(WalletTest, AFileGoesOutAndComesIn) {
  const Wallet wallet = made("a");
  const std::string path = root_ + "/backup.key";
  ASSERT_TRUE(files_.export_to("a", path).ok());
  EXPECT_EQ(files_.export_to("a", path).error().code, Code::already_there);
  FakeSource nobody({});
  const auto taken = files_.import_from(path, "b", nobody);
  ASSERT_TRUE(taken.ok()) << taken.error().message();
  EXPECT_EQ(taken->key, wallet.key);
  EXPECT_EQ(unlock_code("b", "correct horse"), Code{});
  EXPECT_EQ(files_.import_from(path, "b", nobody).error().code, Code::already_there);
  EXPECT_EQ(files_.import_from(root_ + "/none", "c", nobody).error().code, Code::file_not_found);
  std::ofstream(path, std::ios::trunc) << "rubbish";
  const auto rubbish = files_.import_from(path, "c", nobody);
  EXPECT_EQ(rubbish.error().code, Code::bad_key_file);
  EXPECT_EQ(rubbish.error().where, path);
}

TEST_F(WalletTest, PlainKeysServeNodesAndAreSealedWhenTheyBecomeWallets) {
  const std::string path = root_ + "/node/keys/node.key";
  const auto key = create_plain_key(path, random_);
  ASSERT_TRUE(key.ok()) << key.error().message();
  EXPECT_EQ(load_plain_key(path).value().public_key(), key->public_key());
  EXPECT_EQ(create_plain_key(path, random_).error().code, Code::already_there);
  FakeSource source({"correct horse", "correct horse"});
  const auto wallet = files_.import_from(path, "node", source);
  ASSERT_TRUE(wallet.ok());
  EXPECT_TRUE(wallet->sealed);
  EXPECT_EQ(wallet->key, key->public_key());
  EXPECT_EQ(unlock_code("node", "correct horse"), Code{});
  EXPECT_EQ(load_plain_key(wallet->path).error().code, Code::bad_key_file);
  EXPECT_EQ(load_plain_key(path + "x").error().code, Code::file_not_found);

  const std::string beside = fs::path(wallet->path).parent_path() / "plain.key";
  ASSERT_TRUE(create_plain_key(beside, random_).ok());
  EXPECT_FALSE(files_.show("plain").value().sealed);
  EXPECT_EQ(files_.export_to("plain", root_ + "/out").error().code, Code::not_permitted);
  FakeSource unasked({});
  EXPECT_TRUE(files_.unlock("plain", unasked).ok());
}

TEST_F(WalletTest, WithoutRandomnessThereIsNoKey) {
  random_.broken = true;
  FakeSource source({"correct horse", "correct horse"});
  EXPECT_EQ(files_.create("a", source).error().code, Code::io_failed);
  EXPECT_EQ(create_plain_key(root_ + "/x.key", random_).error().code, Code::io_failed);
  EXPECT_TRUE(files_.list().value().empty());
  EXPECT_FALSE(fs::exists(root_ + "/x.key"));
}

TEST(Folders, FollowTheSpecification) {
  const auto with = [](const std::string& config,
                       const std::string& data,
                       const std::string& home) -> Environment {
    return [=](const char* name) {
      const std::string variable = name;
      return variable == "XDG_CONFIG_HOME" ? config : variable == "XDG_DATA_HOME" ? data : home;
    };
  };
  EXPECT_EQ(wallet_folder(with("/c", "", "/h"), "").value(), "/c/lockstep/wallets");
  EXPECT_EQ(wallet_folder(with("", "", "/h"), "").value(), "/h/.config/lockstep/wallets");
  EXPECT_EQ(wallet_folder(with("c", "", "/h"), "").value(), "/h/.config/lockstep/wallets");
  EXPECT_EQ(wallet_folder(with("/c", "", "/h"), "w").value(), "w");
  EXPECT_EQ(data_folder(with("", "/d", "")).value(), "/d/lockstep");
  EXPECT_EQ(data_folder(with("", "", "/h")).value(), "/h/.local/share/lockstep");
  EXPECT_EQ(data_folder(with("", "", "")).error().code, Code::bad_folder);
}

TEST(PeerText, ComesBackAndTyposAreRefused) {
  crypto::PublicKey key;
  key.bytes.fill(7);
  for (const env::Address& address : {env::Address{"example.org", 4100}, env::Address{"::1", 1}}) {
    const Peer peer{address, key};
    const std::string text = peer_text(peer);
    EXPECT_EQ(parse_peer(text).value(), peer) << text;
    // A port with a digit changed is another address: only the key has a checksum.
    for (size_t at = text.find('#'); at < text.size(); ++at) {
      std::string typo = text;
      typo[at] = typo[at] == 'q' ? 'p' : 'q';
      EXPECT_EQ(parse_peer(typo).error().code, Code::bad_address) << typo;
    }
  }
  for (const char* const text : {"", "#", "example.org:4100", "example.org#", "lk1"}) {
    EXPECT_EQ(parse_peer(text).error().code, Code::bad_address) << text;
  }
}

}  // namespace
}  // namespace lockstep::apps
