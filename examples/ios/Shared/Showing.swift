import Foundation
import HomeCore
import UserNotifications

/// A card as the system's content, for the extension and for what comes over the open connection.
func fill(_ content: UNMutableNotificationContent, _ card: Card, rings: Bool) {
    content.title = card.title
    content.body = card.text
    content.subtitle = card.late ? "At " + Date(timeIntervalSince1970: Double(card.atMs) / 1000).formatted(date: .omitted, time: .shortened) : ""
    content.sound = rings ? .default : nil
    content.interruptionLevel = rings ? .active : .passive
    content.threadIdentifier = card.severity
    content.userInfo = card.clip.map { ["clip": $0] } ?? [:]
    if let picture = card.picture {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jpg")
        // The system moves the file away.
        if (try? picture.write(to: file)) != nil, let attachment = try? UNNotificationAttachment(identifier: card.id, url: file) {
            content.attachments = [attachment]
        }
    }
}
