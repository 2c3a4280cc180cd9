import BackgroundTasks
import OSLog
import Privet
import SwiftUI
import UserNotifications

@main
struct PrivetApp: App {
    @UIApplicationDelegateAdaptor private var system: SystemDelegate
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup { RootView(holder: .shared) }
            .onChange(of: phase, initial: true) { _, phase in
                switch phase {
                case .active: CoreHolder.shared.activate()
                case .background: CoreHolder.shared.leave()
                default: break
                }
            }
            .backgroundTask(.appRefresh(CoreHolder.refresh)) { await CoreHolder.shared.sync() }
    }
}

/// What SwiftUI has no word for: the push token, and a tap on a notification.
final class SystemDelegate: NSObject, UIApplicationDelegate, UNUserNotificationCenterDelegate {
    func application(_ application: UIApplication, didFinishLaunchingWithOptions options: [UIApplication.LaunchOptionsKey: Any]? = nil) -> Bool {
        UNUserNotificationCenter.current().delegate = self
        return true
    }

    func application(_ application: UIApplication, didRegisterForRemoteNotificationsWithDeviceToken token: Data) {
        CoreHolder.shared.wakeAt(token)
    }

    /// Also with the app open: somebody who looks at one camera wants to hear of another.
    func userNotificationCenter(_ center: UNUserNotificationCenter, willPresent notification: UNNotification) async -> UNNotificationPresentationOptions {
        [.banner, .list, .sound]
    }

    func userNotificationCenter(_ center: UNUserNotificationCenter, didReceive response: UNNotificationResponse) async {
        guard let clip = response.notification.request.content.userInfo["clip"] as? String else { return }
        await MainActor.run { CoreHolder.shared.way = [.clip(clip)] }
    }
}

/// The library's log, among the system's.
final class SystemLog: LogSink {
    private let log = Logger(subsystem: "app.privet.example", category: "privet")

    func log(level: LogLevel, target: String, line: String) {
        switch level {
        case .error: log.error("\(target): \(line)")
        case .warn: log.warning("\(target): \(line)")
        case .info: log.info("\(target): \(line)")
        case .debug: log.debug("\(target): \(line)")
        }
    }
}
