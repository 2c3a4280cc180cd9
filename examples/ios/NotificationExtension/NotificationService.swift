import Foundation
import HomeCore
import Privet
import UserNotifications

/// Runs for each push message, in a process of its own with little memory and 30 seconds. It calls one function of the library,
/// `openNotification`: no client, no store, no network. The relay puts the sealed notification under `b`.
final class NotificationService: UNNotificationServiceExtension {
    private var give: ((UNNotificationContent) -> Void)?
    private var unopened: UNNotificationContent?

    override func didReceive(_ request: UNNotificationRequest, withContentHandler give: @escaping (UNNotificationContent) -> Void) {
        (self.give, unopened) = (give, request.content)
        guard let content = request.content.mutableCopy() as? UNMutableNotificationContent else { return give(request.content) }
        let payload = Data(base64Encoded: request.content.userInfo["b"] as? String ?? "") ?? Data()
        let door = PushDoor(SharedKeys.desk, keys: SharedKeys.read, open: openNotification(keys:payload:nowMs:))
        let arrived = door.arrived(payload, nowMs: Int64(Date().timeIntervalSince1970 * 1000)) { decision in
            switch decision {
            case .show(let card): fill(content, card, rings: true)
            case .replace(let card): fill(content, card, rings: false)
            case .drop: break
            }
        }
        // iOS shows something for every message: what alarms nobody goes silently to the list, and what can't be opened, or was too long
        // for the push service, stays the relay's text, which says nothing.
        if case .decided(.drop) = arrived {
            content.body = "Nothing new."
            (content.sound, content.interruptionLevel) = (nil, .passive)
        }
        content.userInfo["b"] = nil
        give(content)
    }

    /// Shown as it came: the relay's text says only that something happened.
    override func serviceExtensionTimeWillExpire() {
        if let give, let unopened { give(unopened) }
    }
}
