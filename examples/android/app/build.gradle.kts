plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "app.privet.example"
    compileSdk = 36

    defaultConfig {
        applicationId = "app.privet.example"
        // Android 12: expedited work without a foreground service, and rules of what leaves the phone.
        minSdk = 31
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }

    // Through whom a phone that sleeps is woken.
    flavorDimensions += "push"
    productFlavors {
        create("unifiedpush") { dimension = "push" }
        create("fcm") {
            dimension = "push"
            for ((name, property) in listOf(
                "google_app_id" to "appId", "google_api_key" to "apiKey", "gcm_defaultSenderId" to "senderId", "project_id" to "projectId",
            )) resValue("string", name, providers.gradleProperty("privet.fcm.$property").get())
        }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
        }
    }
    buildFeatures {
        compose = true
        buildConfig = true
        resValues = true
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin { jvmToolchain(17) }

dependencies {
    implementation(project(":core"))
    implementation(variantOf(libs.jna) { artifactType("aar") })
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.material3)
    implementation(libs.activity.compose)
    implementation(libs.camera.camera2)
    implementation(libs.camera.view)
    implementation(libs.core.ktx)
    implementation(libs.coroutines.android)
    implementation(libs.lifecycle.compose)
    implementation(libs.lifecycle.process)
    implementation(libs.media3.exoplayer)
    implementation(libs.media3.ui)
    implementation(libs.work)
    implementation(libs.zxing)
    "fcmImplementation"(libs.firebase.messaging)
    "unifiedpushImplementation"(libs.unifiedpush)
    androidTestImplementation(libs.test.runner)
}
