import Foundation
import HomeCore
import Privet
import Security

/// What app and extension share: the notification keys, in a keychain group, and which events were shown, in the app group. The
/// store is not shared: a lock that a suspended app holds would hold up the extension.
enum SharedKeys {
    static let desk = NotificationDesk(
        (FileManager.default.containerURL(forSecurityApplicationGroupIdentifier: "group.app.privet.example")
            ?? FileManager.default.temporaryDirectory).appending(path: "shown")
    )

    static func write(_ keys: NotificationKeys) throws {
        forget()
        var item = query
        item[kSecValueData as String] = keys.secret + keys.hub
        // Opened in a pocket; never in a backup, never on another phone.
        item[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        let status = SecItemAdd(item as CFDictionary, nil)
        if status != errSecSuccess { throw CoreError.Keystore(reason: "notification keys: \(status)", userCancelled: false) }
    }

    static func read() -> NotificationKeys? {
        var item = query
        item[kSecReturnData as String] = true
        var found: CFTypeRef?
        guard SecItemCopyMatching(item as CFDictionary, &found) == errSecSuccess, let both = found as? Data, both.count == 64 else { return nil }
        return NotificationKeys(secret: Data(both.prefix(32)), hub: Data(both.suffix(32)))
    }

    static func forget() { SecItemDelete(query as CFDictionary) }

    private static var query: [String: Any] {
        [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: "notification keys v1",
            kSecAttrAccessGroup as String: Bundle.main.object(forInfoDictionaryKey: "KeychainGroup") as? String ?? "",
        ]
    }
}
