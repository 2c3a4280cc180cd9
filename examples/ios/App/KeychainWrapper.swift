import Foundation
import Privet
import Security

/// ECIES to a key that the Secure Enclave made and never gives away: one for each label. It needs no unlocked phone, but one that was
/// unlocked since it was started: a refresh in the background opens the store.
final class KeychainWrapper: KeyWrapper {
    private let algorithm = SecKeyAlgorithm.eciesEncryptionCofactorVariableIVX963SHA256AESGCM

    func wrap(label: String, secret: Data) async throws -> Data {
        let pair = try find(label) ?? make(label)
        guard let key = SecKeyCopyPublicKey(pair) else { throw refused("no public key") }
        var error: Unmanaged<CFError>?
        guard let blob = SecKeyCreateEncryptedData(key, algorithm, secret as CFData, &error) else { throw refused(error) }
        return blob as Data
    }

    func unwrap(label: String, blob: Data) async throws -> Data {
        guard let key = try find(label) else { throw CoreError.KeyLost(reason: "the keychain has no key '\(label)'") }
        var error: Unmanaged<CFError>?
        guard let secret = SecKeyCreateDecryptedData(key, algorithm, blob as CFData, &error) else { throw refused(error) }
        return secret as Data
    }

    private func find(_ label: String) throws -> SecKey? {
        let query: [String: Any] = [
            kSecClass as String: kSecClassKey,
            kSecAttrApplicationTag as String: Data(label.utf8),
            kSecAttrKeyType as String: kSecAttrKeyTypeECSECPrimeRandom,
            kSecAttrKeyClass as String: kSecAttrKeyClassPrivate,
            kSecReturnRef as String: true,
        ]
        var found: CFTypeRef?
        switch SecItemCopyMatching(query as CFDictionary, &found) {
        case errSecSuccess: return (found as! SecKey)
        case errSecItemNotFound: return nil
        // Before the first unlock, say: not lost, only not now.
        case let status: throw refused("\(status)")
        }
    }

    private func make(_ label: String) throws -> SecKey {
        var error: Unmanaged<CFError>?
        let flags: SecAccessControlCreateFlags = .privateKeyUsage
        guard let access = SecAccessControlCreateWithFlags(nil, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly, flags, &error) else {
            throw refused(error)
        }
        var attributes: [String: Any] = [
            kSecAttrKeyType as String: kSecAttrKeyTypeECSECPrimeRandom,
            kSecAttrKeySizeInBits as String: 256,
            kSecPrivateKeyAttrs as String: [
                kSecAttrIsPermanent as String: true,
                kSecAttrApplicationTag as String: Data(label.utf8),
                kSecAttrAccessControl as String: access,
            ],
        ]
        #if !targetEnvironment(simulator)
        attributes[kSecAttrTokenID as String] = kSecAttrTokenIDSecureEnclave
        #endif
        guard let key = SecKeyCreateRandomKey(attributes as CFDictionary, &error) else { throw refused(error) }
        return key
    }

    private func refused(_ error: Unmanaged<CFError>?) -> CoreError {
        guard let error = error?.takeRetainedValue() else { return refused("no reason given") }
        return .Keystore(reason: "\(error)", userCancelled: CFErrorGetCode(error) == Int(errSecUserCanceled))
    }

    private func refused(_ why: String) -> CoreError { .Keystore(reason: why, userCancelled: false) }
}
